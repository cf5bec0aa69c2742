#pragma once

#include "pip/store/metadata_store.h"

namespace osp::pip::store {

// The keys in a RocksDB database in `directory`, which is made if it is not there. It starts threads of its own, so
// block the signals that they must not take first. EIO EACCES ENOSPC; EBUSY: another process has it open.
Result<std::unique_ptr<MetadataStore>> open_rocks_metadata(const std::string& directory, bool may_create = true);

}  // namespace osp::pip::store
