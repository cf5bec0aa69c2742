#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/random.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/device/console.h"
#include "kernel/library/bytes.h"
#include "kernel/task/thread.h"

// What libc asks for besides, and the console.
namespace osp::kernel::call {
namespace {

constexpr uint64_t largest_transfer = 0x7fff'f000;

bool is_console(int fd) { return fd == 1 || fd == 2; }

}  // namespace

long getrandom(char* to, uint64_t size, uint32_t flags) {
  constexpr uint32_t known = 7;
  if ((flags & ~known) != 0) return -EINVAL;
  if (size > largest_transfer) size = largest_transfer;
  char buffer[256];
  for (uint64_t done = 0; done < size;) {
    const uint64_t part = size - done < sizeof buffer ? size - done : sizeof buffer;
    fill_random(buffer, part);
    if (copy_out(to + done, buffer, part) != 0) return done > 0 ? static_cast<long>(done) : -EFAULT;
    done += part;
  }
  return static_cast<long>(size);
}

long prlimit64(int, int resource, const uint64_t* wanted, uint64_t* now) {
  constexpr uint64_t stack_size = 8 << 20;
  if (resource < 0 || resource >= RLIM_NLIMITS) return -EINVAL;
  if (wanted != nullptr) return -EPERM;
  if (now == nullptr) return 0;
  const uint64_t limits[2] = {resource == RLIMIT_STACK ? stack_size : RLIM_INFINITY, RLIM_INFINITY};
  return copy_out(now, limits, sizeof limits);
}

// No signal ever comes, but libc remembers what it asked for.
long rt_sigprocmask(int how, const uint64_t* wanted, uint64_t* before, uint64_t size) {
  constexpr int block = 0, unblock = 1, set = 2;
  uint64_t& mask = current().signal_mask;
  const uint64_t old = mask;
  if (size != sizeof mask) return -EINVAL;
  if (wanted != nullptr) {
    uint64_t bits = 0;
    if (const long result = load_user(wanted, bits); result != 0) return result;
    if (how != block && how != unblock && how != set) return -EINVAL;
    mask = how == set ? bits : how == block ? mask | bits : mask & ~bits;
  }
  return before == nullptr ? 0 : store_user(before, old);
}

long rt_sigaction(int number, const void* wanted, void* before, uint64_t size) {
  constexpr int signals = 64, kill = 9, stop = 19;
  constexpr char default_action[32] = {};
  if (size != sizeof(uint64_t) || number < 1 || number > signals) return -EINVAL;
  if (wanted != nullptr && (number == kill || number == stop)) return -EINVAL;
  return before == nullptr ? 0 : copy_out(before, default_action, sizeof default_action);
}

long set_robust_list(const void*, uint64_t size) {
  constexpr uint64_t head_size = 24;
  return size == head_size ? 0 : -EINVAL;
}

long rseq() { return -ENOSYS; }

long write(int fd, const char* data, uint64_t size) {
  if (!is_console(fd)) return -EBADF;
  if (size > largest_transfer) size = largest_transfer;
  char buffer[256];
  for (uint64_t done = 0; done < size;) {
    const uint64_t part = size - done < sizeof buffer ? size - done : sizeof buffer;
    if (copy_in(buffer, data + done, part) != 0) return done > 0 ? static_cast<long>(done) : -EFAULT;
    write_console(buffer, part);
    done += part;
  }
  return static_cast<long>(size);
}

long writev(int fd, const iovec* parts, int count) {
  constexpr int most = 1024;
  if (!is_console(fd)) return -EBADF;
  if (count < 0 || count > most) return -EINVAL;
  long done = 0;
  for (int i = 0; i < count; ++i) {
    iovec part = {};
    long result = load_user(parts + i, part);
    if (result == 0) result = write(fd, static_cast<const char*>(part.iov_base), part.iov_len);
    if (result < 0) return done > 0 ? done : result;
    done += result;
  }
  return done;
}

// The console is like a pipe, so that libc asks nothing about terminals. There are no files.
long newfstatat(int fd, const char* path, char* state, int flags) {
  char first = 0;
  if (const long result = load_user(path, first); result != 0) return result;
  if (first != '\0' || (flags & AT_EMPTY_PATH) == 0) return -ENOENT;
  if (!is_console(fd)) return -EBADF;
  struct stat console = {};
  console.st_mode = S_IFIFO | S_IRUSR | S_IWUSR;
  console.st_nlink = 1;
  console.st_blksize = static_cast<blksize_t>(page_size);
  return copy_out(state, &console, sizeof console);
}

long readlink() { return -ENOENT; }

}  // namespace osp::kernel::call
