#pragma once

#include <optional>

#include "pip/store/content_commit.h"
#include "pip/store/store.h"

namespace osp::pip::store {

// A file in use: its record, and its contents with the draft. One for each file at a time, whoever has it open.
// A draft is a file of the host beside the store, written in place, and the list of what in it counts; so it survives
// the end of this process. Each call may block on the disk, and has no effect where it fails.
class Node {
 public:
  // ENOENT EBADMSG EIO. `store` must live longer.
  static Result<std::shared_ptr<Node>> load(Store& store, uint64_t id);

  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] const Inode& inode() const { return inode_; }
  [[nodiscard]] Attributes describe() const { return inode_.describe(id_); }
  // The record was written so.
  void set(Inode inode) { inode_ = std::move(inode); }

  // Short only at the end.
  Result<size_t> read(uint64_t offset, std::span<std::byte> into);
  // EFBIG ENOSPC.
  Result<void> write(uint64_t offset, std::span<const std::byte> from);
  Result<void> resize(uint64_t size);
  // What the draft holds becomes the next version. Without a draft it does nothing. Not yet on the disk.
  Result<void> commit();
  Result<void> abandon();
  // A version of before becomes the next one. ENOENT: there is none of this number.
  Result<void> restore(uint64_t number);

  size_t opens = 0;    // by StoreTree's files
  size_t writers = 0;  // of them, those that may write

 private:
  Node(Store& store, uint64_t id, Inode inode) : store_(store), id_(id), inode_(std::move(inode)) {}

  Result<void> load_draft();
  Result<void> load_content();
  Result<int> draft_fd(bool is_new);
  // An inode that has a draft; `batch` gets what says so.
  Result<Inode> drafting(Batch& batch);
  Result<void> write_down(Batch batch, Inode changed);
  Result<void> make_version(Batch batch, Inode changed, const Version& version);
  Result<void> read_whole(uint64_t offset, std::span<std::byte> into);
  void drop_draft_file();

  Store& store_;
  uint64_t id_;
  Inode inode_;
  std::optional<Content> content_;  // of the newest version, once it was needed
  Extents extents_;                 // of the draft
  uint64_t changed_bytes_ = 0;      // in extents_
  bool has_extents_ = false;        // extents_ were loaded
  HostFd draft_;
};
using NodePtr = std::shared_ptr<Node>;

}  // namespace osp::pip::store
