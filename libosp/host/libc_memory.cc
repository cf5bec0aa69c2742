// What static glibc asks the host for memory with, redirected to the core's window: mmap and friends
// map there, and brk stays in an array (a program's heap once grew over the core's TLS through it). These
// definitions take the place of libc.a's mmap64.o, munmap.o, mremap.o, brk.o and dl-early_allocate.o. They run
// before TLS exists, so errno is set only on failure, which early start-up does not survive anyway.
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"

namespace {

constexpr int map_fixed = 0x10;

void* to_pointer(long result) {
  if (result >= 0 || result < -4095) return reinterpret_cast<void*>(result);
  errno = static_cast<int>(-result);
  return reinterpret_cast<void*>(-1L);
}

int to_int(long result) {
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace

extern "C" {

// A break of our own, large enough for the TLS that glibc takes from it before anything else (csu/libc-tls.c; else it
// would call the host's mmap by itself, for a place outside the window). Further growth fails: glibc then uses mmap.
alignas(64) [[gnu::section(".bss.sparse")]] static char early_memory[32 * 1024];
void* __curbrk = early_memory;

int __brk(void* end) {
  const auto wanted = reinterpret_cast<uintptr_t>(end), start = reinterpret_cast<uintptr_t>(&early_memory);
  if (wanted < start || wanted > start + sizeof early_memory) return -1;
  __curbrk = end;
  return 0;
}
int brk(void*) __attribute__((alias("__brk")));

void* mmap(void* address, size_t size, int protection, int flags, int fd, int64_t offset) {
  if ((flags & map_fixed) != 0)
    return to_pointer(osp::raw::syscall(SYS_mmap, address, size, protection, flags, fd, offset));
  return to_pointer(osp::window::map(size, protection, flags, fd, offset));
}
void* mmap64(void*, size_t, int, int, int, int64_t) __attribute__((alias("mmap")));
void* __mmap(void*, size_t, int, int, int, int64_t) __attribute__((alias("mmap")));
void* __mmap64(void*, size_t, int, int, int, int64_t) __attribute__((alias("mmap")));

int munmap(void* address, size_t size) {
  return to_int(osp::window::unmap(reinterpret_cast<uintptr_t>(address), size));
}
int __munmap(void*, size_t) __attribute__((alias("munmap")));

// Moves always: growing in place could run into the neighbour range of the window's allocator.
void* mremap(void* address, size_t old_size, size_t new_size, int, ...) {
  void* moved = mmap(nullptr, new_size, 3, 0x22, -1, 0);
  if (moved == reinterpret_cast<void*>(-1L)) return moved;
  std::memcpy(moved, address, old_size < new_size ? old_size : new_size);
  munmap(address, old_size);
  return moved;
}
void* __mremap(void*, size_t, size_t, int, ...) __attribute__((alias("mremap")));

// Memory of the first TLS block: libc.a's own asks the host for any address, which may be the program's.
void* _dl_early_allocate(size_t size) {
  const long start = osp::window::map(size, 3, 0x22, -1, 0);
  return start < 0 ? nullptr : reinterpret_cast<void*>(start);
}

}  // extern "C"
