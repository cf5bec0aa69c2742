#pragma once

#include <string>

#include "libosp/task/process.h"

// What proc(5) has of a process that only the core knows natively. The worker is in the process's space.
namespace osp::native::proc_text {

std::string limits(const task::Process& process);
std::string mounts(const task::Process& process);
std::string mountinfo(const task::Process& process);
std::string statm(const task::Process& process);

}  // namespace osp::native::proc_text
