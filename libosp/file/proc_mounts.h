#pragma once

#include <string>

#include "namespace/mount_table.h"

namespace osp::file {

// /proc/self/mountinfo (`all`) or /proc/self/mounts of a name space (proc(5)): its mounts, as the host describes what
// lies there, and the host's own below them. Empty if the host's cannot be read.
std::string mounts_text(const ns::MountTable& table, bool all);

}  // namespace osp::file
