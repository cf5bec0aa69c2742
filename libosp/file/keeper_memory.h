#pragma once

#include <string>
#include <vector>

#include "namespace/mem_snapshot.h"
#include "namespace/trouble.h"

namespace osp::keeper {

// A memory tree of the environment as it stands, for a checkpoint.
struct SavedMemory {
  std::string url{};  // as attach() wants it: "#m.NAME"
  ns::MemSnapshot snapshot{};
  int contents = -1;  // a core's fd (file::keep_fd), the caller's: what lies beside the snapshot
};

// Those that this process has attached. EIO: the keeper is gone; EMFILE, ENOMEM.
Result<std::vector<SavedMemory>> save_memory();

// The other way: makes the tree, which must be empty, what was saved. Until end_load_memory() its files are opened by
// number (memory_server()), and by name not at all. `contents` stays the caller's. EBUSY, ENOSPC, EIO.
Result<void> load_memory(const std::string& url, const ns::MemSnapshot& snapshot, int contents);
Result<void> end_load_memory(const std::string& url);

}  // namespace osp::keeper
