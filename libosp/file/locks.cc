#include "libosp/file/locks.h"

#include <algorithm>

#include "libosp/file/files.h"

namespace osp::file {

std::shared_ptr<FileLocks> Locks::of(const FileIdentity& identity) {
  std::shared_ptr<FileLocks>& locks = files_[identity];
  if (locks == nullptr) locks = std::make_shared<FileLocks>();
  return locks;
}

// Those that somebody holds here or waits for stay.
void Locks::drop_empty() {
  std::erase_if(files_, [](const auto& entry) { return entry.second.use_count() == 1 && entry.second->table.empty(); });
}

void Locks::fd_closed(const Files& files, Description& file) {
  const bool has_any = std::ranges::any_of(files_, [&](const auto& entry) { return entry.second->table.has(&files); });
  if (!has_any) return;
  const auto found = files_.find(file.identity());
  if (found == files_.end()) return;
  found->second->table.unlock(&files, 0, INT64_MAX);
  found->second->changed.notify();
  drop_empty();
}

void Locks::description_closed(const Description& file) {
  for (const auto& [identity, locks] : files_) {
    const bool had = locks->table.unlock_whole(&file) || locks->table.has(&file);
    locks->table.unlock(&file, 0, INT64_MAX);
    if (had) locks->changed.notify();
  }
  drop_empty();
}

Locks& locks() {
  static Locks all;
  return all;
}

}  // namespace osp::file
