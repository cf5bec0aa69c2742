#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "namespace/place.h"

namespace osp::ns {

// A directory as the name space shows it: the entries of all members of a union, of two with one name
// the first, and the mount points that lie directly in it, with the attributes of what is mounted there.
// A listing is made when entry 0 is asked for and stays until that is asked for again (rewinddir).
class UnionDirectory final : public pip::File {
 public:
  // `first` is the directory of `place`'s member, open for reading; both are owned from here on.
  UnionDirectory(std::unique_ptr<pip::File> first, Place place) : first_(std::move(first)), place_(std::move(place)) {}

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override { return first_->read(offset, into); }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EBADF); }
  // A member other than the first that cannot be read is left out, with a warning in the log.
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t first, size_t count) override;
  Result<pip::Attributes> stat() override { return first_->stat(); }
  Result<void> change(const pip::AttributeChange& change) override { return first_->change(change); }
  Result<void> commit() override { return first_->commit(); }
  Result<void> close() override { return first_->close(); }

  // The file of the first member: what fchdir, fstat and the like of the core may look at.
  [[nodiscard]] pip::File& first() const { return *first_; }
  [[nodiscard]] const Place& place() const { return place_; }

 private:
  Result<void> load();
  Result<void> add_all(pip::File& directory);
  void add_other_members();
  void add_mount_points();

  std::unique_ptr<pip::File> first_;
  Place place_;
  bool loaded_ = false;
  std::vector<pip::DirectoryEntry> entries_;
  std::unordered_set<std::string> names_;  // of entries_
};

}  // namespace osp::ns
