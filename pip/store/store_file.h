#pragma once

#include "pip/store/store_tree.h"

namespace osp::pip::store {

// The names of a directory, in an order that is stable while it is open.
class Listing {
 public:
  // From `first` 0 on, as they are then.
  static Result<Listing> of(TreeView& view, uint64_t directory);
  // `describe(id)`: an entry's attributes.
  template <class Describe>
  Result<std::vector<DirectoryEntry>> entries(TreeView& view, uint64_t first, size_t count, Describe&& describe);

 private:
  uint64_t directory_ = 0;
  std::vector<std::string> names_;
};

template <class Describe>
Result<std::vector<DirectoryEntry>> Listing::entries(TreeView& view, uint64_t first, size_t count,
                                                     Describe&& describe) {
  std::vector<DirectoryEntry> entries;
  while (first + entries.size() < names_.size() && entries.size() < count) {
    const size_t at = first + entries.size();
    OSP_ASSIGN(const auto entry, view.lookup(directory_, names_[at]));
    const auto inode = entry ? view.inode(entry->id) : Result<Inode>(fail(ENOENT));
    if (!inode && inode.error().code != ENOENT) return std::unexpected(inode.error());
    if (!inode) {  // gone meanwhile: as if it had never been listed
      names_.erase(names_.begin() + static_cast<ptrdiff_t>(at));
      continue;
    }
    entries.push_back({.name = names_[at], .attributes = describe(entry->id, *inode), .target = inode->target});
  }
  return entries;
}

// An open file of the tree as it is now.
class StoreFile final : public File {
 public:
  StoreFile(StoreTree& tree, NodePtr node, const OpenMode& mode);
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;
  ~StoreFile() override;

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from) override;
  Result<uint64_t> append(std::span<const std::byte> from) override;
  Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count) override;
  Result<Attributes> stat() override { return node_->describe(); }
  Result<void> change(const AttributeChange& change) override;
  Result<void> commit() override;
  Result<void> close() override;

 private:
  StoreTree& tree_;
  NodePtr node_;
  OpenMode mode_;
  std::optional<Listing> listing_;
};

}  // namespace osp::pip::store
