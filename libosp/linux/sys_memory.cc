// mmap(2) and its family.
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/memory/filled.h"
#include "libosp/memory/segment.h"
#include "libosp/patch/site_patcher.h"

namespace osp::linux {
namespace {

using memory::Backing;

// Loaders lay a file's segments over a mapping of the whole file: these share what is known of it.
std::shared_ptr<Backing> mapped_there(const Call& c, const struct stat& st) {
  const memory::Area* area = (c.d & MAP_FIXED) != 0 ? c.process.memory.find(c.a) : nullptr;
  if (area == nullptr || area->backing == nullptr) return nullptr;
  const bool is_same = area->backing->device == st.st_dev && area->backing->inode == st.st_ino;
  return is_same && area->backing->version == memory::version_of(st) ? area->backing : nullptr;
}

Result<std::shared_ptr<Backing>> backing_of_host_fd(const Call& c, int fd) {
  struct stat st = {};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_fstat, fd, &st)));
  if (auto known = mapped_there(c, st)) return known;
  return memory::backing_of(st);
}

// Of a server that has no pages to share natively: docs/caveats.md.
long map_copy(Call& c, file::Description& file, std::shared_ptr<Backing> backing) {
  const auto contents = [&](uint64_t from, std::span<std::byte> to) { return file.contents(from, to); };
  return to_long(memory::map_filled(c.process.memory, c.a, c.b, static_cast<int>(c.c), static_cast<int>(c.d), c.f,
                                    std::move(backing), contents));
}

long map_served(Call& c, file::Description& file) {
  const bool shared = (c.d & MAP_TYPE) != MAP_PRIVATE, shared_write = shared && (c.c & PROT_WRITE) != 0;
  if (!file.is_readable() || (shared_write && !file.is_writable())) return file.is_name_only() ? -EBADF : -EACCES;
  auto backing = std::make_shared<Backing>();
  backing->path = file.path();
  if (const auto origin = file.origin()) backing->server = origin->server;
  const auto attributes = file.stat();
  if (attributes) backing->inode = attributes->id;
  const auto pages = file.map(c.f, c.b, shared_write);
  const bool is_regular = attributes && S_ISREG(attributes->mode);
  if (!pages && pages.error().code == ENODEV && host::is_native() && is_regular && !shared_write)
    return map_copy(c, file, std::move(backing));
  if (!pages) return -pages.error().code;
  if (pages->keep != nullptr) backing->pages = pages->keep, backing->segment = pages->fd;
  const auto mapped = c.process.memory.map(c.a, c.b, static_cast<int>(c.c), static_cast<int>(c.d), pages->fd,
                                           pages->fd_offset, std::move(backing));
  if (mapped && shared && !file.is_writable() && host::is_native()) c.process.memory.never_write(*mapped, c.b);
  return to_long(mapped);
}

long map_new_segment(Call& c) {
  auto segment = memory::Segment::make(c.b);
  if (!segment) return -segment.error().code;
  auto backing = std::make_shared<Backing>();
  backing->path = "/dev/zero (deleted)";
  backing->pages = *segment, backing->segment = (*segment)->handle();
  return to_long(c.process.memory.map(c.a, c.b, static_cast<int>(c.c), static_cast<int>(c.d) & ~MAP_ANONYMOUS,
                                      (*segment)->handle(), 0, std::move(backing)));
}

// Memory shared with children and nobody else: a memfd of the core's, so that a checkpoint can find it.
long map_shared_anonymous(Call& c) {
  if (host::is_native()) return map_new_segment(c);
  constexpr uint64_t huge_sizes = uint64_t{MAP_HUGE_MASK} << MAP_HUGE_SHIFT;
  const uint64_t huge = (c.d & MAP_HUGETLB) != 0 ? MFD_HUGETLB | (c.d & huge_sizes) : 0;
  const long fd = file::keep_fd(static_cast<int>(raw::syscall(SYS_memfd_create, "osp-shared", MFD_CLOEXEC | huge)));
  if (fd < 0) return fd;
  auto backing = std::make_shared<Backing>();
  backing->path = "/dev/zero (deleted)";
  backing->kept_fd = static_cast<int>(fd);
  if (const long sized = raw::syscall(SYS_ftruncate, fd, memory::page_up(c.b)); sized < 0) return sized;
  const auto flags = static_cast<int>(c.d & ~(MAP_ANONYMOUS | MAP_HUGETLB | huge_sizes));
  return to_long(c.process.memory.map(c.a, c.b, static_cast<int>(c.c), flags, static_cast<int>(fd), 0, backing));
}

// Natively, what vm.overcommit_memory=0 of proc(5) refuses: more than there is in all.
bool is_too_much(const Call& c) {
  constexpr uint64_t worth_a_look = 64 << 20;
  const bool is_counted = (c.c & PROT_WRITE) != 0 && (c.d & MAP_NORESERVE) == 0;
  return host::is_native() && c.b > worth_a_look && is_counted && c.b > memory::Space::use().total;
}

// Linux looks at the fd before the size.
bool has_bad_fd(const Call& c) {
  return (c.d & MAP_ANONYMOUS) == 0 && !host::is_native() && raw::syscall(SYS_fcntl, c.e, F_GETFD) < 0;
}

long map_anew(Call& c) {
  const int flags = static_cast<int>(c.d), fd = static_cast<int>(c.e);
  if (c.b == 0) return has_bad_fd(c) ? -EBADF : -EINVAL;
  if (c.b > ~c.a) return -ENOMEM;
  if ((flags & MAP_ANONYMOUS) != 0) {
    if (is_too_much(c)) return -ENOMEM;
    if ((flags & MAP_TYPE) == MAP_SHARED) return map_shared_anonymous(c);
    return to_long(c.process.memory.map(c.a, c.b, static_cast<int>(c.c), flags, -1, 0, nullptr));
  }
  if (c.f % memory::page_size != 0) return -EINVAL;
  if (file::Description* file = c.process.files->find(fd)) return map_served(c, *file);
  if (host::is_native()) return -EBADF;
  auto backing = backing_of_host_fd(c, fd);
  if (!backing) return -backing.error().code;
  return to_long(c.process.memory.map(c.a, c.b, static_cast<int>(c.c), flags, fd, c.f, std::move(*backing)));
}

bool is_executable(const Call& c, uintptr_t address) {
  const memory::Area* area = c.process.memory.find(address);
  return area != nullptr && (area->protection & PROT_EXEC) != 0;
}

}  // namespace

long sys_mmap(Call& c) {
  const long at = map_anew(c);
  if (at < 0) return at;
  if ((c.d & MAP_FIXED) != 0) c.process.patcher->forget(c.a, c.b);
  if ((c.c & PROT_EXEC) != 0) c.process.patcher->mapped(static_cast<uintptr_t>(at), c.b);
  return at;
}

// What was written through a mapping of a served file goes to its server.
long sys_msync(Call& c) {
  const long result = forward_blocking(c);
  return result != 0 || (c.c & MS_SYNC) == 0 ? result : to_long(keeper::sync());
}

long sys_munmap(Call& c) {
  if (c.b > ~c.a) return -EINVAL;
  const long result = to_long(c.process.memory.unmap(c.a, c.b));
  if (result == 0) c.process.patcher->forget(c.a, c.b);
  return result;
}
long sys_mprotect(Call& c) { return to_long(c.process.memory.protect(c.a, c.b, static_cast<int>(c.c))); }
long sys_mremap(Call& c) {
  if (c.b > ~c.a || ((c.d & MREMAP_FIXED) != 0 && c.c > ~c.e)) return -EINVAL;
  if (is_executable(c, c.a)) c.process.patcher->give_back(c.a, c.b);  // jumps are for where the code is now
  const long at = to_long(c.process.memory.remap(c.a, c.b, c.c, static_cast<int>(c.d), c.e));
  if (at >= 0 && (c.d & MREMAP_FIXED) != 0) c.process.patcher->forget(c.e, c.c);
  return at;
}
// The same mapping shows other pages of its file.
long sys_remap_file_pages(Call& c) {
  const memory::Area* found = c.process.memory.find(c.a);
  if (host::is_native()) return -ENOSYS;
  if (found == nullptr || c.b > ~c.a) return -EINVAL;
  if (c.process.memory.is_sealed(c.a, c.b)) return -EPERM;
  memory::Area area = *found;
  area.start = memory::page_down(c.a), area.end = area.start + memory::page_down(c.b);
  area.offset = c.d * memory::page_size;
  const long result = forward(c);
  if (result == 0 && area.end > area.start) c.process.memory.replace(std::move(area));
  return result;
}

long sys_mseal(Call& c) {
  if (host::is_native()) return -ENOSYS;
  if (c.c != 0 || c.a % memory::page_size != 0 || c.b > ~c.a - memory::page_size) return -EINVAL;
  return c.b == 0 ? 0 : to_long(c.process.memory.seal(c.a, c.b));
}

// Of what there is, the program's part alone is locked. What is still to be mapped is the host's to know.
long sys_mlockall(Call& c) {
  constexpr uint64_t known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
  if (c.a == 0 || c.a == MCL_ONFAULT || (c.a & ~known) != 0) return -EINVAL;
  const bool now = (c.a & MCL_CURRENT) != 0, later = (c.a & MCL_FUTURE) != 0;
  const int flags = (c.a & MCL_ONFAULT) != 0 ? MLOCK_ONFAULT : 0;
  const long on_host = later ? raw::syscall(SYS_mlockall, c.a & ~uint64_t{MCL_CURRENT}) : 0;
  if (on_host != 0 || !now) return on_host;
  const auto locked = c.process.memory.lock_all(flags, c.thread.regs.rsp);
  if (!locked) raw::syscall(SYS_munlockall);
  return to_long(locked);
}

long sys_madvise(Call& c) { return to_long(c.process.memory.advise(c.a, c.b, static_cast<int>(c.c))); }
long sys_brk(Call& c) { return static_cast<long>(c.process.memory.set_break(c.a)); }

}  // namespace osp::linux
