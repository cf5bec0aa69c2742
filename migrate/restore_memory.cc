// The program's memory from an image, at its old addresses.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/host/window.h"
#include "libosp/memory/address_space.h"
#include "migrate/checkpoint_parts.h"
#include "migrate/restore_parts.h"

namespace osp::migrate {
namespace {

using memory::Backing;
using memory::Use;

// Puts pages where they belong. Areas that are not writable are so until finish().
class Loader final : public PageTarget {
 public:
  explicit Loader(const Restore& restore) : restore_(restore) {}

  std::byte* place(const Run& run, bool zero) override {
    if (run.space == restore_.saved().space) return in_process(run, zero);
    return zero ? nullptr : in_object(run);
  }

  // Gives the areas their protection back.
  void finish() {
    for (const Area* area : opened_) raw::syscall(SYS_mprotect, area->start, area->length, area->protection);
    for (const Run& run : opened_runs_) raw::syscall(SYS_mprotect, run.offset, run.size(), protection_at(run.offset));
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  [[nodiscard]] const Area& area_at(uint64_t address) const {
    const auto& areas = restore_.saved().areas;
    return *std::prev(std::upper_bound(areas.begin(), areas.end(), address,
                                       [](uint64_t at, const Area& area) { return at < area.start; }));
  }
  [[nodiscard]] int protection_at(uint64_t address) const { return static_cast<int>(area_at(address).protection); }

  // A run may go over several areas, all of which keep pages (validate.h).
  std::byte* in_process(const Run& run, bool zero) {
    bool fresh = true;
    for (uint64_t at = run.offset; at < run.end();) {
      const Area& area = area_at(at);
      fresh = fresh && area.kind != AreaKind::file;
      at = area.start + area.length;
    }
    if (zero && fresh) return nullptr;
    for (uint64_t at = run.offset; at < run.end();) {
      const Area& area = area_at(at);
      make_writable(area, run);
      at = area.start + area.length;
    }
    return reinterpret_cast<std::byte*>(run.offset);
  }

  void make_writable(const Area& area, const Run& run) {
    constexpr uint32_t enough = PROT_READ | PROT_WRITE;
    if ((area.protection & enough) == enough || (!opened_.empty() && opened_.back() == &area)) return;
    if (raw::syscall(SYS_mprotect, area.start, area.length, enough) == 0) {
      opened_.push_back(&area);
    } else {  // too much to promise all of it
      Run part = run;
      part.offset = std::max(run.offset, area.start);
      part.page_count =
          static_cast<uint32_t>((std::min(run.end(), area.start + area.length) - part.offset) / format::page_size);
      if (raw::syscall(SYS_mprotect, part.offset, part.size(), enough) != 0) failed_ = true;
      opened_runs_.push_back(part);
    }
  }

  std::byte* in_object(const Run& run) {
    for (size_t i = 0; i < restore_.manifest.objects.size(); ++i) {
      const MemoryObject& object = restore_.manifest.objects[i];
      if (object.space != run.space) continue;
      auto mapped = mapped_.find(run.space);
      if (mapped == mapped_.end()) {
        const long at =
            window::map(memory::page_up(object.size), PROT_READ | PROT_WRITE, MAP_SHARED, restore_.objects[i], 0);
        if (at < 0) return nullptr;
        mapped = mapped_.emplace(run.space, reinterpret_cast<std::byte*>(at)).first;
      }
      return mapped->second + run.offset;
    }
    return nullptr;
  }

 public:
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader() override {
    for (const auto& [space, at] : mapped_)
      for (const MemoryObject& object : restore_.manifest.objects)
        if (object.space == space) window::unmap(reinterpret_cast<uintptr_t>(at), memory::page_up(object.size));
  }

 private:
  const Restore& restore_;
  std::vector<const Area*> opened_;
  std::vector<Run> opened_runs_;
  std::map<uint32_t, std::byte*> mapped_;
  bool failed_ = false;
};

Restored make_objects(Restore& restore) {
  for (const MemoryObject& object : restore.manifest.objects) {
    constexpr unsigned cloexec = 1, allow_sealing = 2;
    const unsigned flags = cloexec | (object.kind == ObjectKind::memfd ? allow_sealing : 0);
    const std::string name = object.kind == ObjectKind::memfd ? object.name : "osp-shared";
    const long made = raw::syscall(SYS_memfd_create, name.c_str(), flags);
    const long fd = made < 0 ? made : file::keep_fd(static_cast<int>(made));
    if (fd < 0) return because("memory that it shares", fd);
    if (const long sized = raw::syscall(SYS_ftruncate, fd, object.size); sized < 0)
      return because("memory that it shares", sized);
    if (object.mode != 0) raw::syscall(SYS_fchmod, fd, object.mode);
    restore.objects.push_back(static_cast<int>(fd));
  }
  return {};
}

Use use_of(const Area& area) {
  switch (area.kind) {
    case AreaKind::stack:
      return Use::stack;
    case AreaKind::heap:
      return Use::heap;
    case AreaKind::vdso:
      return Use::vdso;
    default:
      return area.name == "trampolines" ? Use::trampolines : Use::plain;
  }
}

// What areas are backed by; areas of the same file share it.
class Backings {
 public:
  explicit Backings(const Restore& restore) : restore_(restore) {}

  struct Found {
    int fd = -1;  // to map from; closed by the caller if `own`
    bool own = false;
    std::shared_ptr<Backing> backing;
  };

  std::expected<Found, std::string> find(const Area& area) {
    if (area.kind == AreaKind::file || area.kind == AreaKind::shared_file) return open(area);
    if (area.kind != AreaKind::shared_object) return Found();
    const MemoryObject& object = restore_.manifest.objects[area.object];
    auto& backing = of_object_[area.object];
    const int fd = restore_.objects[area.object];
    if (backing == nullptr) {
      backing = std::make_shared<Backing>();
      const bool anonymous = object.kind == ObjectKind::shared_anonymous;
      backing->path = anonymous ? "/dev/zero (deleted)" : fmt::format("/memfd:{} (deleted)", object.name);
      if (anonymous) backing->kept_fd = fd;
      identify(fd, *backing);
    }
    return Found{fd, false, backing};
  }

 private:
  static void identify(int fd, Backing& backing) {
    struct stat st = {};
    if (raw::syscall(SYS_fstat, fd, &st) == 0) backing.device = st.st_dev, backing.inode = st.st_ino;
  }

  std::expected<Found, std::string> open(const Area& area) {
    const std::string& path = restore_.manifest.files[area.file].path;
    const bool to_write = area.kind == AreaKind::shared_file;
    long fd = to_write ? raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDWR | O_CLOEXEC) : -EACCES;
    if (fd < 0) fd = raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return because("the program has mapped " + path, fd);
    auto& backing = of_file_[area.file];
    if (backing == nullptr) {
      backing = std::make_shared<Backing>();
      backing->path = path;
      identify(static_cast<int>(fd), *backing);
    }
    return Found{static_cast<int>(fd), true, backing};
  }

  const Restore& restore_;
  std::map<uint32_t, std::shared_ptr<Backing>> of_file_, of_object_;
};

Restored map_area(Restore& restore, Backings& backings, const Area& area) {
  memory::AddressSpace& memory = restore.process.memory;
  auto found = backings.find(area);
  if (!found) return std::unexpected(found.error());
  int flags = static_cast<int>(area.flags) | MAP_FIXED;
  if (found->fd < 0) {
    flags = (flags & ~MAP_SHARED) | MAP_PRIVATE | MAP_ANONYMOUS;
  } else {
    flags &= ~MAP_ANONYMOUS;
  }
  const auto mapped = memory.map(area.start, area.length, static_cast<int>(area.protection), flags, found->fd,
                                 area.offset, found->backing, use_of(area));
  if (found->own) raw::close(found->fd);
  if (!mapped) return because(fmt::format("its memory at {:#x}", area.start), mapped.error().code);
  const auto advise = [&](uint32_t bit, int advice) {
    if ((area.advice & bit) != 0) static_cast<void>(memory.advise(area.start, area.length, advice));
  };
  advise(area_advice_dont_fork, MADV_DONTFORK);
  advise(area_advice_dont_dump, MADV_DONTDUMP);
  advise(area_advice_wipe_on_fork, MADV_WIPEONFORK);
  return {};
}

bool is_served(const Restore& restore, const Area& area) {
  return area.kind == AreaKind::shared_file && !is_host_file(restore.manifest.files[area.file]);
}

Restored load_pages(const Restore& restore) {
  auto frames = FrameLoader::create(restore.image);
  if (!frames) return because("its pages", frames.error().code);
  Loader loader(restore);
  for (const Frame& frame : restore.image.index().frames())
    if (const auto loaded = frames->load(frame, loader); !loaded)
      return std::unexpected(
          fmt::format("{}, at {:#x}: {}", loaded.error().section, loaded.error().offset, loaded.error().reason));
  loader.finish();
  return loader.failed() ? because("its memory", ENOMEM) : Restored();
}

void seal_objects(const Restore& restore) {
  for (size_t i = 0; i < restore.objects.size(); ++i)
    if (const uint32_t seals = restore.manifest.objects[i].seals;
        restore.manifest.objects[i].kind == ObjectKind::memfd && seals != 0)
      raw::syscall(SYS_fcntl, restore.objects[i], F_ADD_SEALS, seals);
}

}  // namespace

Restored restore_memory(Restore& restore) {
  OSP_TRY(make_objects(restore));
  Backings backings(restore);
  memory::AddressSpace& memory = restore.process.memory;
  uintptr_t top = 0x7e00'0000'0000;
  for (const Area& area : restore.saved().areas) {
    if (!is_served(restore, area)) OSP_TRY(map_area(restore, backings, area));
    if (area.kind == AreaKind::stack) top = area.start;
  }
  memory.set_layout(top, restore.saved().program.brk_start);
  memory.set_break_range(restore.saved().program.brk_start, restore.saved().program.brk_end);
  OSP_TRY(load_pages(restore));
  seal_objects(restore);
  return {};
}

}  // namespace osp::migrate
