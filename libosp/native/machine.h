#pragma once

#include <cstdint>
#include <string>

#include "libosp/task/process.h"

namespace osp::native {

// What uname(2) and sysinfo(2) tell of the machine; set at start.
struct Machine {
  std::string hostname;
  uint64_t memory = 0;  // bytes
  uint32_t processors = 1;
};
Machine& machine();

}  // namespace osp::native
