#pragma once

#include <sys/types.h>

#include <vector>

namespace osp::task {

class Process;

// Who a process is (credentials(7)).
struct Credentials {
  uid_t uid = 0, euid = 0, saved_uid = 0;
  gid_t gid = 0, egid = 0, saved_gid = 0;
  std::vector<gid_t> groups{};
};

// Hosted they are the host's, asked for at each call (without `groups`); natively the process keeps them.
Credentials credentials_of(const Process& process);

}  // namespace osp::task
