#include "pip/store/node.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "pip/store/host_io.h"
#include "pip/store/keys.h"

namespace osp::pip::store {
namespace {

std::string end_value(uint64_t end) {
  std::string value;
  Writer(value).u64(end);
  return value;
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::shared_ptr<Node>> Node::load(Store& store, uint64_t id) {
  OSP_ASSIGN(Inode inode, store.inode(id));
  return std::shared_ptr<Node>(new Node(store, id, std::move(inode)));
}

Result<void> Node::load_draft() {
  if (has_extents_) return {};
  extents_.clear();
  changed_bytes_ = 0;
  if (inode_.is_draft)
    OSP_TRY(for_each(store_.metadata(), key::numbered('d', id_), [&](auto key, auto value) -> Result<void> {
      const uint64_t start = key::number_in(key, 8);
      const uint64_t end = Reader(value).u64();
      if (end <= start) return fail(EBADMSG);
      extents_[start] = end;
      changed_bytes_ += end - start;
      return {};
    }));
  has_extents_ = true;
  return {};
}

Result<void> Node::load_content() {
  if (content_) return {};
  if (inode_.committed.version == 0) {
    content_ = Content();
    return {};
  }
  OSP_ASSIGN(const Version version, store_.version(id_, inode_.committed.version));
  OSP_ASSIGN(content_, Content::decode(version.content, store_.chunks()));
  return {};
}

Result<int> Node::draft_fd(bool is_new) {
  if (draft_.get() >= 0) return draft_.get();
  const int flags = O_RDWR | O_CLOEXEC | (is_new ? O_CREAT | O_TRUNC : 0);
  draft_ = HostFd(::open(store_.draft_path(id_).c_str(), flags, 0600));
  if (draft_.get() < 0) return fail(errno == ENOENT ? EIO : errno);
  return draft_.get();
}

void Node::drop_draft_file() {
  if (draft_.get() < 0 && extents_.empty()) return;  // nothing was ever written
  draft_ = HostFd();
  unlink(store_.draft_path(id_).c_str());
}

// All of `into`, which lies within the file.
Result<void> Node::read_whole(uint64_t offset, std::span<std::byte> into) {
  OSP_TRY(load_draft());
  const uint64_t end = offset + into.size();
  auto extent = extents_.upper_bound(offset);
  if (extent != extents_.begin()) --extent;
  const bool is_all_changed = extent != extents_.end() && extent->first <= offset && extent->second >= end;
  if (!is_all_changed) {
    OSP_TRY(load_content());
    const uint64_t base_end = inode_.is_draft ? inode_.draft_base_end : inode_.size;
    const size_t base = static_cast<size_t>(std::min<uint64_t>(into.size(), base_end - std::min(base_end, offset)));
    OSP_TRY(content_->read(offset, into.first(base), store_.chunks()));
    std::ranges::fill(into.subspan(base), std::byte{0});
  }
  for (; extent != extents_.end() && extent->first < end; ++extent) {
    const uint64_t from = std::max(extent->first, offset);
    const uint64_t to = std::min(extent->second, end);
    if (from >= to) continue;
    OSP_ASSIGN(const int fd, draft_fd(false));
    OSP_TRY(read_at(fd, from, into.subspan(from - offset, to - from)));
  }
  return {};
}

Result<size_t> Node::read(uint64_t offset, std::span<std::byte> into) {
  if (offset >= inode_.size) return 0;
  const size_t count = static_cast<size_t>(std::min<uint64_t>(into.size(), inode_.size - offset));
  if (auto read = read_whole(offset, into.first(count)); !read)
    return fail(read.error().code == EBADMSG || read.error().code == ENOENT ? EIO : read.error().code);
  return count;
}

Result<Inode> Node::drafting(Batch& batch) {
  OSP_TRY(load_draft());
  Inode changed = inode_;
  if (!changed.is_draft) {
    changed.is_draft = true;
    changed.draft_base_end = changed.committed.size;
    changed.committed.mtime_ns = changed.mtime_ns;
    batch.put(key::draft(id_), {});
  }
  ++changed.version;
  changed.mtime_ns = changed.ctime_ns = store_.now_ns();
  return changed;
}

Result<void> Node::write_down(Batch batch, Inode changed) {
  batch.put(key::inode(id_), encode(changed));
  if (auto written = store_.write(std::move(batch)); !written) {
    has_extents_ = false;  // what is in memory is ahead
    return written;
  }
  inode_ = std::move(changed);
  return {};
}

Result<void> Node::write(uint64_t offset, std::span<const std::byte> from) {
  if (from.empty()) return {};
  if (offset > uint64_t{INT64_MAX} - from.size()) return fail(EFBIG);
  Batch batch;
  OSP_ASSIGN(Inode changed, drafting(batch));
  OSP_ASSIGN(const int fd, draft_fd(extents_.empty()));
  OSP_TRY(write_at(fd, offset, text(from)));
  uint64_t start = offset;
  uint64_t end = offset + from.size();
  auto extent = extents_.upper_bound(start);
  if (extent != extents_.begin() && std::prev(extent)->second >= start) --extent;
  while (extent != extents_.end() && extent->first <= end) {  // one with those that it meets
    start = std::min(start, extent->first);
    end = std::max(end, extent->second);
    changed_bytes_ -= extent->second - extent->first;
    if (extent->first != start) batch.erase(key::extent(id_, extent->first));
    extent = extents_.erase(extent);
  }
  extents_[start] = end;
  changed_bytes_ += end - start;
  batch.put(key::extent(id_, start), end_value(end));
  changed.size = std::max(changed.size, end);
  changed.allocated = changed.committed.allocated + changed_bytes_;
  return write_down(std::move(batch), std::move(changed));
}

Result<void> Node::resize(uint64_t size) {
  if (size > uint64_t{INT64_MAX}) return fail(EFBIG);
  Batch batch;
  if (size == inode_.size) {
    Inode touched = inode_;
    touched.mtime_ns = touched.ctime_ns = store_.now_ns();
    store_.put_inode(batch, id_, touched);
    return write_down(std::move(batch), std::move(touched));
  }
  OSP_ASSIGN(Inode changed, drafting(batch));
  changed.draft_base_end = std::min(changed.draft_base_end, size);
  changed.size = size;
  while (!extents_.empty() && extents_.rbegin()->second > size) {
    const auto last = std::prev(extents_.end());
    changed_bytes_ -= last->second - std::max(last->first, size);
    if (last->first < size) {
      last->second = size;
      batch.put(key::extent(id_, last->first), end_value(size));
    } else {
      batch.erase(key::extent(id_, last->first));
      extents_.erase(last);
    }
  }
  if (extents_.empty()) draft_ = HostFd();  // the next write begins the file anew
  changed.allocated = std::min(size, changed.committed.allocated + changed_bytes_);
  return write_down(std::move(batch), std::move(changed));
}

Result<void> Node::make_version(Batch batch, Inode changed, const Version& version) {
  changed.is_draft = false;
  changed.draft_base_end = 0;
  changed.committed = {
      .version = changed.version, .size = version.size, .allocated = version.allocated, .mtime_ns = version.mtime_ns};
  changed.size = version.size, changed.allocated = version.allocated, changed.mtime_ns = version.mtime_ns;
  store_.put_version(batch, id_, changed.version, version);
  store_.put_inode(batch, id_, changed);
  return write_down(std::move(batch), std::move(changed));
}

Result<void> Node::commit() {
  if (!inode_.is_draft) return {};
  OSP_TRY(load_draft());
  OSP_TRY(load_content());
  const Changes changes{.extents = &extents_,
                        .base_end = inode_.draft_base_end,
                        .size = inode_.size,
                        .read = [this](uint64_t offset, auto into) { return read_whole(offset, into); }};
  OSP_ASSIGN(Content next, apply_changes(*content_, changes, store_.chunks()));
  OSP_ASSIGN(std::string record, next.encode(store_.chunks()));
  Batch batch;
  for (const auto& [start, end] : extents_) batch.erase(key::extent(id_, start));
  batch.erase(key::draft(id_));
  OSP_TRY(make_version(std::move(batch), inode_,
                       {.time_ns = store_.now_ns(),
                        .mtime_ns = inode_.mtime_ns,
                        .size = next.size(),
                        .allocated = next.allocated(),
                        .content = std::move(record)}));
  content_ = std::move(next);
  drop_draft_file();
  extents_.clear();
  changed_bytes_ = 0;
  return {};
}

Result<void> Node::abandon() {
  if (!inode_.is_draft) return {};
  OSP_TRY(store_.abandon_draft(id_));
  draft_ = HostFd();
  extents_.clear();
  changed_bytes_ = 0;
  OSP_ASSIGN(inode_, store_.inode(id_));
  return {};
}

Result<void> Node::restore(uint64_t number) {
  OSP_TRY(commit());
  OSP_ASSIGN(Version version, store_.version(id_, number));
  OSP_TRY(load_content());
  if (inode_.committed.version != 0) {
    OSP_ASSIGN(const Version newest, store_.version(id_, inode_.committed.version));
    if (newest.content == version.content) return {};
  }
  version.time_ns = store_.now_ns();
  Inode changed = inode_;
  ++changed.version;
  version.mtime_ns = changed.ctime_ns = version.time_ns;
  OSP_TRY(make_version({}, std::move(changed), version));
  content_.reset();
  return {};
}

}  // namespace osp::pip::store
