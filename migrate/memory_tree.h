#pragma once

#include "migrate/manifest_files.h"
#include "namespace/mem_snapshot.h"

namespace osp::migrate {

// A memory tree as the manifest has it, and as the file system has it; contents are the caller's.
MemoryTree tree_of(std::string server, const ns::MemSnapshot& snapshot);
ns::MemSnapshot snapshot_of(const MemoryTree& tree);

}  // namespace osp::migrate
