// The program's memory for an image: its areas, and which of their pages must be stored.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/memory/address_space.h"
#include "libosp/memory/own_pages.h"
#include "libosp/patch/site_patcher.h"
#include "migrate/checkpoint_parts.h"

namespace osp::migrate {
namespace {

using memory::page_size;
using memory::Use;

uint32_t advice_of(const memory::Area& area) {
  return (area.dont_fork ? area_advice_dont_fork : 0) | (area.dont_dump ? area_advice_dont_dump : 0) |
         (area.wipe_on_fork ? area_advice_wipe_on_fork : 0);
}

AreaKind anonymous_kind(Use use) {
  switch (use) {
    case Use::heap:
      return AreaKind::heap;
    case Use::stack:
      return AreaKind::stack;
    case Use::vdso:
      return AreaKind::vdso;
    default:
      return AreaKind::anonymous;
  }
}

void add_span(Capture& c, const PageSpan& span) {
  if (!c.pages.empty()) {
    PageSpan& last = c.pages.back();
    if (last.space == span.space && last.offset + last.size == span.offset && last.at + last.size == span.at &&
        last.protection == span.protection) {
      last.size += span.size;
      return;
    }
  }
  c.pages.push_back(span);
}

// A copy of memory that may not be readable, or not be there behind a file's end. What is not there is zero.
Result<Held> copy_area(const memory::Area& area) {
  const size_t size = area.end - area.start;
  OSP_ASSIGN(Held copy, Held::make(size));
  const bool readable = (area.protection & PROT_READ) != 0;
  if (!readable) raw::syscall(SYS_mprotect, area.start, size, PROT_READ);
  for (size_t at = 0; at < size; at += page_size)
    osp_user_copy(copy.data() + at, reinterpret_cast<const void*>(area.start + at), page_size);
  if (!readable) raw::syscall(SYS_mprotect, area.start, size, area.protection);
  return copy;
}

// A private mapping of a file that cannot be opened again becomes anonymous memory with its contents.
Result<void> capture_whole(Capture& c, const memory::Area& area, Area& out) {
  out.kind = AreaKind::anonymous;
  out.flags = (out.flags & ~static_cast<uint32_t>(MAP_SHARED)) | MAP_PRIVATE | MAP_ANONYMOUS;
  out.offset = 0;
  auto copy = copy_area(area);
  if (!copy) return std::unexpected(copy.error());
  c.pages.push_back(
      {process_space, area.start, reinterpret_cast<uintptr_t>(copy->data()), area.end - area.start, PROT_READ});
  c.held.push_back(std::move(*copy));
  return {};
}

Result<void> capture_private(Capture& c, memory::OwnPages& own, const memory::Area& area, Area& out) {
  const bool of_file = area.backing != nullptr && area.backing->path != "/dev/zero";
  out.kind = of_file ? AreaKind::file : anonymous_kind(area.use);
  if (area.use == Use::trampolines) out.name = "trampolines";
  if (of_file) {
    out.file = c.file_ref(area.backing->path, area.backing->device, area.backing->inode);
    if (out.file == none) return capture_whole(c, area, out);
    out.offset = area.offset;
  } else {
    out.flags |= MAP_ANONYMOUS;
  }
  // What is the code file's (libosp/patch/code_file.h) goes whole: no page of it is the process's own.
  if (area.use == Use::trampolines || area.use == Use::vdso || task::process().patcher->is_copy(area.start)) {
    add_span(c, {process_space, area.start, area.start, area.end - area.start, area.protection});
    return {};
  }
  return own.each(area.start, area.end, [&](uintptr_t start, uintptr_t end) {
    add_span(c, {process_space, start, start, end - start, area.protection});
  });
}

// The host's fd with an area's contents, by the mapping itself (which needs privilege).
long open_mapping(const memory::Area& area) {
  return raw::syscall(SYS_openat, AT_FDCWD, fmt::format("/proc/self/map_files/{:x}-{:x}", area.start, area.end).c_str(),
                      O_RDONLY | O_CLOEXEC);
}

Result<uint32_t> object_behind(Capture& c, const memory::Area& area) {
  const memory::Backing& backing = *area.backing;
  if (backing.kept_fd >= 0) return c.object_of(backing.kept_fd, ObjectKind::shared_anonymous, "");
  if (const auto known = c.objects.find({backing.device, backing.inode}); known != c.objects.end())
    return known->second;
  const bool memfd = backing.path.starts_with("/memfd:");
  const ObjectKind kind = memfd ? ObjectKind::memfd : ObjectKind::unlinked_file;
  const std::string name = memfd ? backing.path.substr(7, backing.path.rfind(" (deleted)") - 7) : backing.path;
  if (const long fd = open_mapping(area); fd >= 0) {
    auto object = c.object_of(static_cast<int>(fd), kind, name);
    raw::close(static_cast<int>(fd));
    return object;
  }
  uint32_t index = 0;
  const uint32_t space = c.new_object(kind, name, area.offset + area.end - area.start, index).space;
  auto copy = copy_area(area);
  if (!copy) return std::unexpected(copy.error());
  c.object_pages.push_back(
      {space, area.offset, reinterpret_cast<uintptr_t>(copy->data()), area.end - area.start, PROT_READ});
  c.held.push_back(std::move(*copy));
  return index;  // other mappings of it get objects of their own: nobody else can tell
}

// One for all mappings of a file, and for who has it open.
uint32_t served_file(Capture& c, const memory::Backing& backing) {
  const auto& files = c.manifest.files;
  const auto known = std::find_if(files.begin(), files.end(), [&](const FileRef& file) {
    return file.server == backing.server && file.path == backing.path && file.identity.inode == backing.inode;
  });
  if (known != files.end()) return static_cast<uint32_t>(known - files.begin());
  return c.served_ref(backing.server, backing.path, backing.inode, S_IFREG);
}

Result<void> capture_shared(Capture& c, const memory::Area& area, Area& out) {
  out.offset = area.offset;
  if (area.backing == nullptr) return capture_whole(c, area, out);
  if (!area.backing->server.empty()) {
    out.kind = AreaKind::shared_file;
    out.file = served_file(c, *area.backing);
    return {};
  }
  const bool kept = area.backing->kept_fd >= 0;
  out.file = kept ? none : c.file_ref(area.backing->path, area.backing->device, area.backing->inode);
  if (out.file != none) {
    out.kind = AreaKind::shared_file;
    return {};
  }
  out.kind = AreaKind::shared_object;
  auto object = object_behind(c, area);
  if (!object) return std::unexpected(object.error());
  out.object = *object;
  return {};
}

}  // namespace

Result<void> capture_memory(Capture& c) {
  c.process.memory.name_backings();
  memory::OwnPages own;
  for (const auto& [start, area] : c.process.memory.areas()) {
    Area out;
    out.start = area.start, out.length = area.end - area.start;
    out.protection = static_cast<uint32_t>(area.protection), out.flags = static_cast<uint32_t>(area.flags);
    out.advice = advice_of(area);
    const bool shared = (area.flags & MAP_TYPE) != MAP_PRIVATE;
    OSP_TRY(shared ? capture_shared(c, area, out) : capture_private(c, own, area, out));
    c.image().areas.push_back(std::move(out));
  }
  return {};
}

}  // namespace osp::migrate
