#pragma once

#include <sys/syscall.h>

#include <cstddef>

// System calls without libc: no errno, no cancellation, no TLS. Results are the kernel's:
// -4095..-1 is minus an errno. All are signal-safe; each blocks as its manual page says.
namespace osp::raw {

inline long call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <class T>
long arg(T value) {
  if constexpr (requires { reinterpret_cast<long>(value); }) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

// syscall(SYS_x, any pointers and integers…).
template <class... Args>
long syscall(long nr, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  return call(nr, arg(args)...);
}

inline long write(int fd, const void* data, size_t size) { return syscall(SYS_write, fd, data, size); }
inline long read(int fd, void* data, size_t size) { return syscall(SYS_read, fd, data, size); }
inline long close(int fd) { return syscall(SYS_close, fd); }
inline int getpid() { return static_cast<int>(call(SYS_getpid)); }

}  // namespace osp::raw
