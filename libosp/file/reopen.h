#pragma once

#include <memory>
#include <string>

#include "libosp/file/files.h"
#include "libosp/task/process.h"

namespace osp::file {

// For a restore: opens again what the core served at `path` (Description::origin), absolute in the name space, with
// the flags of F_GETFL and at that offset. ENOENT, EACCES…: as open(2).
Result<std::shared_ptr<Description>> reopen(const task::Process& process, const std::string& path, int flags,
                                            uint64_t offset);

// The same with file `number` of the memory tree at `server`, between keeper::load_memory() and end_load_memory();
// `path` is what it was opened as.
Result<std::shared_ptr<Description>> reopen_by_number(const std::string& server, uint64_t number,
                                                      const std::string& path, int flags, uint64_t offset);

}  // namespace osp::file
