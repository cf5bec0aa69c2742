#pragma once

#include <functional>
#include <string>

#include "tools/pip_remote.h"

namespace osp::piptool {

struct Transferred {
  uint64_t files = 0, bytes = 0;
  uint64_t not_kept = 0;  // owners and attributes that the other side refused
};

// Copies all that is below the root of one server into the root of another, with modes, times, hard links, holes,
// special files and, where they can be had, owners and attributes. What is there under a name of the same kind is
// overwritten. `progress(bytes)`: of contents, so far. Either may be a HostTree.
Outcome<Transferred> transfer(pip::Server& from, pip::Server& to, const std::function<void(uint64_t bytes)>& progress);
// The bytes of all files below the root, for a bar.
uint64_t bytes_below(pip::Server& server);

}  // namespace osp::piptool
