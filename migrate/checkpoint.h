#pragma once

#include <expected>
#include <string>

#include "libosp/control/order.h"
#include "libosp/task/process.h"

namespace osp::migrate {

// Writes the image of a process whose threads are all stopped (Process::stop_at_edge), at order.path, by
// FileSink's rules. What is said of it, or why there is none: a child, an open file that cannot come back (each
// is named; order.force leaves those out), or an error of the host. The process is as it was, in either case.
// Blocks until the image is durable.
std::expected<std::string, std::string> checkpoint(task::Process& process, const control::CheckpointOrder& order);

// What a checkpoint would say of each open file, one a line; lines that begin with `! ` are what it would refuse.
std::string checkpoint_report(task::Process& process);

}  // namespace osp::migrate
