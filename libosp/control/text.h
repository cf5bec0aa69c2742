#pragma once

#include <string>

#include "libosp/task/process.h"

// What the files of the control tree say: lines for people and tools. The process is stopped, or the caller
// is one of its threads.
namespace osp::control {

std::string status_text(const task::Process& process);  // `key: value` lines
std::string ns_text(const task::Process& process);      // the commands that would build the name space again
std::string fd_text(const task::Process& process);      // `N: what it leads to`
std::string maps_text(const task::Process& process);    // as /proc/PID/maps, with the core's view
std::string stack_text(const task::Process& process);   // each thread's registers, and its frames by frame pointers

}  // namespace osp::control
