#include "libosp/memory/address_space.h"

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/host/maps.h"
#include "libosp/host/native.h"
#include "libosp/host/side.h"
#include "libosp/host/window.h"
#include "libosp/memory/segment.h"
#include "libosp/task/process.h"

namespace osp::memory {
namespace {

constexpr uintptr_t lowest = 0x10000;
constexpr uintptr_t highest = 0x7fff'ffff'f000;
constexpr size_t huge = 2 * 1024 * 1024;
constexpr int kept_flags = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE;

bool mergeable(const Area& a, const Area& b) {
  return a.end == b.start && a.protection == b.protection && a.flags == b.flags && a.backing == b.backing &&
         (a.backing == nullptr || a.offset + (a.end - a.start) == b.offset) && a.use == b.use && a.sealed == b.sealed &&
         a.never_written == b.never_written && a.dont_fork == b.dont_fork && a.dont_dump == b.dont_dump &&
         a.wipe_on_fork == b.wipe_on_fork;
}

long map_on_host(uintptr_t start, size_t size, int protection, int flags, int fd, uint64_t offset) {
  if (!host::is_native() || fd < 0) return raw::syscall(SYS_mmap, start, size, protection, flags, fd, offset);
  return map_segment(fd, start, size, offset, protection, (flags & MAP_TYPE) == MAP_PRIVATE);
}

}  // namespace

Backing::~Backing() {
  if (kept_fd >= 0) file::drop_fd(kept_fd);
}

uint64_t version_of(const struct stat& st) {
  constexpr uint64_t second = 1'000'000'000, odd = 0x9e37'79b9'7f4a'7c15;
  const auto ns = [](const timespec& t) {
    return static_cast<uint64_t>(t.tv_sec) * second + static_cast<uint64_t>(t.tv_nsec);
  };
  return ((ns(st.st_mtim) * odd ^ ns(st.st_ctim)) * odd + static_cast<uint64_t>(st.st_size)) | 1;
}

std::shared_ptr<Backing> backing_of(const struct stat& st) {
  auto backing = std::make_shared<Backing>();
  backing->device = st.st_dev, backing->inode = st.st_ino, backing->version = version_of(st);
  return backing;
}

void AddressSpace::set_layout(uintptr_t top, uintptr_t brk_start) {
  top_ = top;
  break_start_ = break_end_ = brk_start;
}

// The data of programs and libraries, which loaders map with MAP_DENYWRITE: all of it is written to soon, and the call
// costs less than a page fault for each page. Nothing else: what is changed in another file is to be seen until the
// page is written to, and a program may look which pages there are, or want to fill them itself (userfaultfd(2)).
static int filled_at_once(size_t size, int protection, int flags) {
  constexpr size_t most = 16 * page_size;
  constexpr int wanted = MAP_PRIVATE | MAP_DENYWRITE;
  const bool is_data = (flags & (wanted | MAP_ANONYMOUS)) == wanted && (protection & PROT_WRITE) != 0;
  return is_data && size <= most && !host::is_native() ? MAP_POPULATE : 0;
}

bool AddressSpace::is_free(uintptr_t start, size_t size) const {
  if (start < lowest || start + size > highest || start + size < start || window::overlaps(start, size)) return false;
  auto next = areas_.upper_bound(start);
  if (next != areas_.end() && next->first < start + size) return false;
  return next == areas_.begin() || std::prev(next)->second.end <= start;
}

uintptr_t AddressSpace::choose(size_t size, uintptr_t alignment) const {
  uintptr_t end = top_;
  const auto place = [&] { return (end - size) & ~(alignment - 1); };
  auto next = areas_.lower_bound(end);
  while (end > size + lowest) {
    const uintptr_t start = place();
    if (window::overlaps(start, size)) {
      end = window::image;
      next = areas_.lower_bound(end);
      continue;
    }
    if (next == areas_.begin()) return start;
    const Area& below = std::prev(next)->second;
    if (below.end <= start) return start;
    end = below.start;
    --next;
  }
  return 0;
}

uintptr_t AddressSpace::free_near(uintptr_t near, size_t size, uintptr_t reach) const {
  constexpr uintptr_t much_room = 16 * 1024 * 1024;
  if (near < top_ && top_ + trampoline_zone - near < reach)
    for (uintptr_t at = top_; at + size <= top_ + trampoline_zone; at += size)
      if (is_free(at, size)) return at;
  const uintptr_t low = near > reach ? near - reach : lowest;
  for (auto it = areas_.upper_bound(near); it != areas_.begin();) {
    const uintptr_t start = (--it)->second.start;
    if (start < low + size) break;
    const uintptr_t room = std::min(much_room, start - lowest - size);
    if (is_free(start - room, room)) return start - size;
    if (it->second.use == Use::trampolines && is_free(start - size, size)) return start - size;
  }
  return 0;
}

void AddressSpace::insert(Area area) {
  auto next = areas_.upper_bound(area.start);
  if (next != areas_.begin()) {
    Area& before = std::prev(next)->second;
    if (mergeable(before, area)) {
      before.end = area.end;
      if (next != areas_.end() && mergeable(before, next->second)) {
        before.end = next->second.end;
        areas_.erase(next);
      }
      return;
    }
  }
  if (next != areas_.end() && mergeable(area, next->second)) {
    area.end = next->second.end;
    areas_.erase(next);
  }
  areas_.emplace(area.start, std::move(area));
}

void AddressSpace::split(uintptr_t at) {
  auto next = areas_.upper_bound(at);
  if (next == areas_.begin()) return;
  Area& area = std::prev(next)->second;
  if (area.start >= at || area.end <= at) return;
  Area rest = area;
  rest.start = at;
  if (rest.backing != nullptr) rest.offset += at - area.start;
  area.end = at;
  areas_.emplace(at, std::move(rest));
}

void AddressSpace::erase(uintptr_t start, uintptr_t end) {
  split(start);
  split(end);
  areas_.erase(areas_.lower_bound(start), areas_.lower_bound(end));
}

template <class F>
void AddressSpace::for_range(uintptr_t start, uintptr_t end, F&& change) {
  split(start);
  split(end);
  std::vector<Area> changed;
  const auto first = areas_.lower_bound(start), last = areas_.lower_bound(end);
  for (auto it = first; it != last; ++it) changed.push_back(it->second);
  areas_.erase(first, last);
  for (Area& area : changed) {
    change(area);
    insert(std::move(area));
  }
}

Result<uintptr_t> AddressSpace::map(uintptr_t hint, size_t size, int protection, int flags, int fd, uint64_t offset,
                                    std::shared_ptr<Backing> backing, Use use) {
  size = page_up(size);
  if (size == 0) return fail(EINVAL);
  const bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
  uintptr_t start = page_down(hint);
  if (fixed) {
    if (start != hint || window::overlaps(start, size)) return fail(EINVAL);
    if (start + size > highest || start + size < start) return fail(ENOMEM);
    if ((flags & MAP_FIXED_NOREPLACE) != 0 && !is_free(start, size)) return fail(EEXIST);
  } else if (start == 0 || !is_free(start, size)) {
    const bool large = (flags & MAP_ANONYMOUS) != 0 && size >= huge && size % huge == 0;
    start = choose(size, large ? huge : page_size);
    if (start == 0) return fail(ENOMEM);
  }
  if (fixed && is_sealed(start, size)) return fail(EPERM);
  const int host_flags =
      (flags & ~(MAP_FIXED_NOREPLACE | MAP_32BIT)) | MAP_FIXED | filled_at_once(size, protection, flags);
  long mapped = map_on_host(start, size, protection, host_flags, fd, offset);
  if (mapped == -EINVAL && !fixed && !host::is_native() && start % huge != 0) {  // huge pages have places of their own
    size = (size + huge - 1) & ~(huge - 1);
    start = choose(size, huge);
    if (start != 0) mapped = map_on_host(start, size, protection, host_flags, fd, offset);
  }
  if (mapped < 0) return fail(static_cast<int>(-mapped));
  erase(start, start + size);
  Area area;
  area.start = start, area.end = start + size, area.protection = protection, area.flags = flags & kept_flags;
  if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE) area.flags &= ~MAP_PRIVATE;
  area.backing = std::move(backing), area.offset = offset, area.use = use;
  insert(std::move(area));
  return start;
}

Result<void> AddressSpace::unmap(uintptr_t start, size_t size) {
  size = page_up(size);
  if (start != page_down(start) || size == 0 || window::overlaps(start, size)) return fail(EINVAL);
  if (is_sealed(start, size)) return fail(EPERM);
  OSP_TRY(from_raw<void>(raw::syscall(SYS_munmap, start, size)));
  erase(start, start + size);
  return {};
}

// Where mprotect(2) with PROT_GROWSDOWN begins: with the mapping that grows.
Result<uintptr_t> AddressSpace::start_of_growing(uintptr_t address) const {
  const Area* const area = find(address);
  if (area == nullptr) return fail(ENOMEM);
  if (area->use != Use::stack && (area->flags & MAP_GROWSDOWN) == 0) return fail(EINVAL);
  return area->start;
}

Result<void> AddressSpace::protect(uintptr_t start, size_t size, int protection) {
  if ((protection & PROT_GROWSUP) != 0) return fail(EINVAL);  // nothing does on this processor
  if ((protection & PROT_GROWSDOWN) != 0) {
    if (start != page_down(start)) return fail(EINVAL);
    if (size == 0) return {};
    OSP_ASSIGN(const uintptr_t lowest, start_of_growing(start));
    return protect(lowest, size + (start - lowest), protection & ~PROT_GROWSDOWN);
  }
  if (start != page_down(start) || window::overlaps(start, page_up(size))) return fail(EINVAL);
  if ((protection & PROT_WRITE) != 0 && is_never_written(start, page_up(size))) return fail(EACCES);
  if (is_sealed(start, page_up(size))) return fail(EPERM);
  const long result = raw::syscall(SYS_mprotect, start, size, protection);
  if (result < 0) return fail(static_cast<int>(-result));
  return record_protection(start, size, protection);
}

bool AddressSpace::is_never_written(uintptr_t start, size_t size) const {
  for (const Area* area = find(start); area != nullptr && area->start < start + size; area = find(area->end))
    if (area->never_written) return true;
  return false;
}

void AddressSpace::never_write(uintptr_t start, size_t size) {
  for_range(start, start + page_up(size), [](Area& area) { area.never_written = true; });
}

Result<void> AddressSpace::record_protection(uintptr_t start, size_t size, int protection) {
  if (size == 0) return {};
  for_range(start, start + page_up(size),
            [&](Area& area) { area.protection = protection & (PROT_READ | PROT_WRITE | PROT_EXEC); });
  return {};
}

// mremap(2) by the kernel's map_from; what grows is more of the same.
Result<void> AddressSpace::move_natively(const Area& area, uintptr_t old, size_t from, uintptr_t target, size_t to) {
  const size_t kept = std::min(from, to);
  if (target != old) {
    OSP_TRY(from_raw<void>(raw::syscall(SYS_munmap, target, to)));
    OSP_TRY(from_raw<void>(
        raw::syscall(native::map_from, target, old, kept, area.protection, static_cast<long>(native::MapHow::move))));
  }
  if (to < from) return from_raw<void>(raw::syscall(SYS_munmap, old + to, from - to));
  if (to == from) return {};
  const int segment = area.backing == nullptr ? -1 : area.backing->segment;
  const int flags = (area.flags & ~MAP_GROWSDOWN) | MAP_FIXED | (segment < 0 ? MAP_ANONYMOUS : 0);
  return from_raw<void>(map_on_host(target + from, to - from, area.protection, flags, segment, area.offset + from));
}

Result<uintptr_t> AddressSpace::remap(uintptr_t old, size_t old_size, size_t new_size, int flags, uintptr_t fixed) {
  const size_t from = page_up(old_size), to = page_up(new_size);
  if (old != page_down(old) || to == 0 || window::overlaps(old, from)) return fail(EINVAL);
  if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) != 0 && (flags & MREMAP_MAYMOVE) == 0) return fail(EINVAL);
  const Area* found = find(old);
  if (found == nullptr) return fail(EFAULT);
  if (is_sealed(old, from)) return fail(EPERM);
  Area area = *found;
  if (area.backing != nullptr) area.offset += old - area.start;
  uintptr_t target = old;
  if ((flags & MREMAP_FIXED) != 0) {
    if (window::overlaps(fixed, to)) return fail(EINVAL);
    if (is_sealed(fixed, to)) return fail(EPERM);
    target = fixed;
  } else if (to > from && !is_free(old + from, to - from)) {
    if ((flags & MREMAP_MAYMOVE) == 0) return fail(ENOMEM);
    target = choose(to, page_size);
    if (target == 0) return fail(ENOMEM);
  } else if ((flags & MREMAP_DONTUNMAP) != 0) {
    target = choose(to, page_size);
  }
  const int host_flags = target != old ? flags | MREMAP_MAYMOVE | MREMAP_FIXED : flags & ~MREMAP_MAYMOVE;
  if (host::is_native()) {
    OSP_TRY(move_natively(area, old, from, target, to));
    constexpr int empty = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if ((flags & MREMAP_DONTUNMAP) != 0) map_on_host(old, from, area.protection, empty, -1, 0);
  } else if (const long result = raw::syscall(SYS_mremap, old, old_size, new_size, host_flags, target); result < 0) {
    return fail(static_cast<int>(-result));
  }
  if ((flags & MREMAP_DONTUNMAP) == 0) erase(old, old + from);
  erase(target, target + to);
  area.start = target, area.end = target + to;
  insert(std::move(area));
  return target;
}

Result<void> AddressSpace::advise(uintptr_t start, size_t size, int advice) {
  if (window::overlaps(start, page_up(size))) return fail(EINVAL);
  if (discards_sealed(start, size, advice)) return fail(EPERM);
  const bool is_hint = host::is_native() && advice != MADV_DONTNEED && advice != MADV_FREE;
  if (!is_hint) OSP_TRY(from_raw<void>(raw::syscall(SYS_madvise, start, size, advice)));
  for_range(start, start + page_up(size), [&](Area& area) {
    if (advice == MADV_DONTFORK || advice == MADV_DOFORK) area.dont_fork = advice == MADV_DONTFORK;
    if (advice == MADV_DONTDUMP || advice == MADV_DODUMP) area.dont_dump = advice == MADV_DONTDUMP;
    if (advice == MADV_WIPEONFORK || advice == MADV_KEEPONFORK) area.wipe_on_fork = advice == MADV_WIPEONFORK;
  });
  return {};
}

uintptr_t AddressSpace::set_break(uintptr_t wanted) {
  if (wanted < break_start_) return break_end_;
  const uintptr_t old_end = page_up(break_end_), new_end = page_up(wanted);
  if (new_end > old_end) {
    if (!is_free(old_end, new_end - old_end)) return break_end_;
    const auto grown = map(old_end, new_end - old_end, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, nullptr, Use::heap);
    if (!grown) return break_end_;
  } else if (new_end < old_end) {
    if (!unmap(new_end, old_end - new_end)) return break_end_;
  }
  break_end_ = wanted;
  return break_end_;
}

void AddressSpace::adopt(const Area& area) { insert(area); }

void AddressSpace::replace(Area area) {
  erase(area.start, area.end);
  insert(std::move(area));
}

// Areas near each other go by one call, with what is between them: nobody else has anything there.
void AddressSpace::clear() {
  constexpr uintptr_t near = 1u << 30;
  for (auto first = areas_.begin(); first != areas_.end();) {
    auto last = first;
    auto next = std::next(first);
    while (next != areas_.end() && next->first - last->second.end < near) last = next++;
    const uintptr_t start = first->first, end = last->second.end;
    if (raw::syscall(SYS_munmap, start, end - start) < 0)  // a sealed page of the kernel's keeps all
      for (auto it = first; it != next; ++it) raw::syscall(SYS_munmap, it->first, it->second.end - it->first);
    first = next;
  }
  areas_.clear();
}

void AddressSpace::forget_unforked() {
  std::erase_if(areas_, [](const auto& entry) { return entry.second.dont_fork; });
}

void AddressSpace::name_backings() const {
  const auto is_nameless = [](const auto& entry) {
    const auto& backing = entry.second.backing;
    return backing != nullptr && backing->path.empty() && backing->inode != 0;
  };
  if (std::none_of(areas_.begin(), areas_.end(), is_nameless)) return;
  static_cast<void>(host::each_mapping([&](const host::MapsLine& line) {
    const Area* area = line.inode != 0 ? find(line.range.start) : nullptr;
    if (area == nullptr || area->backing == nullptr || area->backing->inode != line.inode) return;
    if (area->backing->path.empty())
      area->backing->path = task::process().names->name_of(host::unescape_name(line.name));
  }));
}

const Area* AddressSpace::find(uintptr_t address) const {
  auto next = areas_.upper_bound(address);
  if (next == areas_.begin()) return nullptr;
  const Area& area = std::prev(next)->second;
  return address < area.end ? &area : nullptr;
}

}  // namespace osp::memory
