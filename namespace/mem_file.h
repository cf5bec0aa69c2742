#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "namespace/mem_tree.h"

namespace osp::ns {

// An open file of a memory file system. Keeps the node, and what the tree needs, alive.
class MemFile final : public pip::File {
 public:
  MemFile(std::shared_ptr<MemTree> tree, MemNodePtr node, const pip::OpenMode& mode)
      : tree_(std::move(tree)), node_(std::move(node)), mode_(mode) {}

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override;
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from) override;
  Result<uint64_t> append(std::span<const std::byte> from) override;
  // Lists the names as they were when entry 0 was asked for.
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t first, size_t count) override;
  Result<pip::Attributes> stat() override { return tree_->describe(*node_); }
  Result<void> change(const pip::AttributeChange& change) override;
  // ENODEV: no regular file, or the tree has no maker of pages; ENOSPC, ENOMEM, EMFILE, EIO. EACCES: to write it was
  // not opened. All of the file is moved to pages the first time.
  Result<pip::PageRange> map(uint64_t offset, uint64_t size, bool writable) override;

 private:
  std::shared_ptr<MemTree> tree_;
  MemNodePtr node_;
  pip::OpenMode mode_;
  std::vector<std::pair<std::string, MemNodePtr>> listing_;
  bool listed_ = false;
};

// chmod, chown, truncate, utimensat on a node. `size_allowed`: by permission, or by the open mode.
// EPERM EACCES EOPNOTSUPP (mode of a link) EISDIR EINVAL EFBIG.
Result<void> change_node(MemTree& tree, MemNode& node, const pip::AttributeChange& change, bool size_allowed);

}  // namespace osp::ns
