#include "libosp/memory/file_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "libosp/host/host.h"
#include "libosp/host/window.h"
#include "libosp/memory/segment.h"
#include "libosp/task/process.h"

namespace osp::memory {
namespace {

constexpr uint64_t least_view = 64 * 1024, most_view = uint64_t{16} << 30;

// The core's view of the pages is larger than they are, so that it moves seldom when they grow.
class FilePages final : public ns::MemPages, public std::enable_shared_from_this<FilePages> {
 public:
  explicit FilePages(std::shared_ptr<Segment> segment) : segment_(std::move(segment)) {}
  ~FilePages() override {
    if (view_ != 0) window::unmap(view_, view_size_);
  }
  FilePages(const FilePages&) = delete;
  FilePages& operator=(const FilePages&) = delete;

  std::span<std::byte> bytes() override { return {reinterpret_cast<std::byte*>(view_), page_up(size_)}; }
  Result<void> resize(uint64_t size) override;
  [[nodiscard]] bool is_executed() const override;
  pip::PageRange range(uint64_t offset) override {
    return {.fd = segment_->handle(), .fd_offset = offset, .size = size_, .keep = shared_from_this()};
  }

 private:
  Result<void> see(uint64_t size);
  void discard_from(uint64_t end) const;
  template <class F>
  void each_area(F&& found) const;

  std::shared_ptr<Segment> segment_;
  uintptr_t view_ = 0;
  uint64_t view_size_ = 0, size_ = 0;
};

// Each area of any process that shows these pages; the worker is not in its space.
template <class F>
void FilePages::each_area(F&& found) const {
  task::Environment* all = task::process().environment;
  if (all == nullptr) return;
  all->each_process([&](task::Process& process) {
    for (const auto& [start, area] : process.memory.areas())
      if (area.backing != nullptr && area.backing->pages.get() == this) found(process, area);
  });
}

bool FilePages::is_executed() const {
  bool executed = false;
  each_area([&](const task::Process&, const Area& area) {
    executed |= (area.flags & MAP_PRIVATE) != 0 && (area.protection & PROT_EXEC) != 0;
  });
  return executed;
}

void FilePages::discard_from(uint64_t end) const {
  host::discard(view_ + end, view_size_ - end);
  each_area([&](const task::Process& process, const Area& area) {
    const uint64_t kept = end > area.offset ? end - area.offset : 0;
    if (kept >= area.end - area.start || process.space == nullptr) return;
    process.space->enter();
    host::discard(area.start + kept, area.end - area.start - kept);
  });
  task::process().space->enter();
}

Result<void> FilePages::see(uint64_t size) {
  if (size > most_view) return fail(EFBIG);
  const uint64_t wanted = std::max(least_view, std::bit_ceil(size));
  // The window's allocator gives the place; the segment takes what it has put there.
  const long place = window::map(wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place < 0) return fail(ENOMEM);
  const auto view = static_cast<uintptr_t>(place);
  if (const long error = map_segment(segment_->handle(), view, wanted, 0, PROT_READ | PROT_WRITE, false); error < 0) {
    window::unmap(view, wanted);
    return fail(static_cast<int>(-error));
  }
  if (view_ != 0) window::unmap(view_, view_size_);
  view_ = view, view_size_ = wanted;
  return {};
}

Result<void> FilePages::resize(uint64_t size) {
  const uint64_t before = page_up(size_), end = page_up(size);
  if (end > view_size_) OSP_TRY(see(end));
  if (end != before) OSP_TRY(segment_->resize(end));
  size_ = size;
  if (end < before) discard_from(end);
  return {};
}

}  // namespace

Result<std::shared_ptr<ns::MemPages>> make_file_pages() {
  OSP_ASSIGN(std::shared_ptr<Segment> segment, Segment::make(0));
  OSP_TRY(segment->resize(0));
  return std::make_shared<FilePages>(std::move(segment));
}

}  // namespace osp::memory
