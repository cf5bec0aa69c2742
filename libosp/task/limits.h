#pragma once

#include <sys/resource.h>

#include <array>

namespace osp::task {

class Process;

using Limits = std::array<rlimit, RLIM_NLIMITS>;

// getrlimit(2): hosted the host's, natively the process's own.
rlimit limit_of(const Process& process, int resource);

// What a process natively begins with.
Limits default_limits();

}  // namespace osp::task
