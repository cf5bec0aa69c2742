#include "libosp/linux/call.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include <optional>

#include "libosp/file/files.h"
#include "libosp/host/side.h"
#include "libosp/linux/poll.h"
#include "libosp/linux/table.h"
#include "libosp/task/blocking.h"

namespace osp::linux {
namespace {

constexpr size_t max_string = 131072, max_strings_size = 6 * 1024 * 1024;

// Whether the call that is served was made before and ended early, by the fast way or before it began again.
bool was_begun() { return trap::worker().fast.interrupted || task::process().scheduler.current()->restarting; }

// What a call answers that only a host could serve, where there is none: an fd that the core does not have is not open.
long not_below(const Call& c) {
  const char* format = entry(c.nr).format;
  if (*format == 'f' || *format == 'D')
    return c.process.files->find(static_cast<int>(c.a)) != nullptr ? -EINVAL : -EBADF;
  return -ENOSYS;
}

}  // namespace

long forward(Call& c) {
  if (host::is_native()) return not_below(c);
  return raw::syscall(c.nr, c.a, c.b, c.c, c.d, c.e, c.f);
}

long block_in_host(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, long restart) {
  if (host::is_native()) return -ENOSYS;
  const auto s = [](uint64_t value) { return static_cast<long>(value); };
  const long result = task::interruptible_call(nr, s(a), s(b), s(c), s(d), s(e), s(f));
  if (result == OSP_NOT_BEGUN) return was_begun() ? restart : static_cast<long>(task::restart_always);
  return result == -EINTR ? restart : result;
}

long forward_blocking(Call& c) {
  if (host::is_native()) return not_below(c);
  return block_in_host(c.nr, c.a, c.b, c.c, c.d, c.e, c.f);
}

long forward_fd(Call& c) { return c.process.files->find(static_cast<int>(c.a)) != nullptr ? -EINVAL : forward(c); }

long forward_fd_blocking(Call& c) {
  return c.process.files->find(static_cast<int>(c.a)) != nullptr ? -EINVAL : forward_blocking(c);
}

bool must_not_wait(int fd, short events) {
  const long flags = raw::syscall(SYS_fcntl, fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) {
    if (flags > 0) task::process().files->mark(fd, trap::fd_never_waits);
    return true;
  }
  const long mode = flags & O_ACCMODE;  // poll(2) would never say that the wrong end of a pipe is ready
  return (events == POLLIN && mode == O_WRONLY) || (events == POLLOUT && mode == O_RDONLY);
}

namespace {

// By SO_RCVTIMEO or SO_SNDTIMEO (socket(7)), as wait_ready() has it; 0: there is none; nothing: no socket. A call that
// begins again keeps it.
std::optional<uint64_t> deadline_of_socket(const Call& c, int fd, short events) {
  if (c.thread.restarting && c.thread.restart_deadline != 0) return c.thread.restart_deadline;
  const int option = events == POLLOUT ? SO_SNDTIMEO : SO_RCVTIMEO;
  timeval limit = {};
  socklen_t size = sizeof limit;
  if (raw::syscall(SYS_getsockopt, fd, SOL_SOCKET, option, &limit, &size) < 0) return std::nullopt;
  const auto us = static_cast<uint64_t>(limit.tv_sec) * 1'000'000 + static_cast<uint64_t>(limit.tv_usec);
  return us == 0 ? 0 : task::host_now_ns() + us * 1000;
}

// A terminal that answers a read without input, or after a time (VMIN and VTIME of termios(3)), of which poll(2) tells
// nothing.
bool answers_without_input(int fd) {
  termios settings = {};
  if (raw::syscall(SYS_ioctl, fd, TCGETS, &settings) < 0) return false;
  return (settings.c_lflag & ICANON) == 0 && (settings.c_cc[VMIN] == 0 || settings.c_cc[VTIME] != 0);
}

}  // namespace

long wait_ready(Call& c, int fd, short events, uint64_t deadline_ns) {
  if (host::is_native()) return 0;  // what follows answers EBADF
  if (c.process.single_threaded()) return 0;
  pollfd wait = {fd, events, 0};
  if (poll_now({&wait, 1}) != 0 || must_not_wait(fd, events)) return 0;
  const auto limit = deadline_ns == 0 ? deadline_of_socket(c, fd, events) : 0;
  if (!limit && events == POLLIN && answers_without_input(fd)) return 0;
  const uint64_t of_socket = limit.value_or(0);
  do {
    const task::Wake why = c.process.scheduler.wait(c.thread, {&wait, 1}, deadline_ns + of_socket);
    if (why == task::Wake::timeout) return of_socket != 0 ? -EAGAIN : -ETIMEDOUT;
    if (why == task::Wake::signal && of_socket == 0) return task::restart_sys;
    if (why == task::Wake::signal) {
      c.thread.restart_deadline = of_socket;
      return task::restart_block;
    }
  } while (poll_now({&wait, 1}) == 0);
  return 0;
}

long forward_when_ready(Call& c, short events) {
  const auto fd = static_cast<int>(c.a);
  file::Files& files = *c.process.files;
  if (files.has_mark(fd, trap::fd_never_waits) && !c.process.single_threaded()) {
    files.remove_mark(fd, trap::fd_never_waits);  // another process may have changed it
    if (must_not_wait(fd, events)) {
      const long result = forward(c);
      return result == -EINTR ? static_cast<long>(task::restart_sys) : result;
    }
  }
  if (const long wait = wait_ready(c, fd, events); wait != 0) return wait;
  return forward_blocking(c);
}

bool is_own_id(const Call& c, uint64_t id) {
  const auto number = static_cast<int>(id);
  return number == c.process.pid || c.process.find_thread(number) != nullptr;
}

Result<std::string> get_string(uint64_t address, size_t limit) {
  char most[256];  // as nearly all fit in
  long size = osp_user_string(most, Call::pointer<char>(address), std::min(limit, sizeof most));
  if (size >= 0) return std::string(most, static_cast<size_t>(size));
  std::string text;
  for (size_t room = 4096; size == -ENAMETOOLONG && text.size() < limit; room = limit) {
    text.resize(std::min(limit, room));
    size = osp_user_string(text.data(), Call::pointer<char>(address), text.size());
  }
  if (size < 0) return fail(static_cast<int>(-size));
  text.resize(static_cast<size_t>(size));
  return text;
}

Result<std::vector<std::string>> get_strings(uint64_t address) {
  std::vector<std::string> all;
  size_t total = 0;
  for (uint64_t at = address; address != 0; at += sizeof(uint64_t)) {
    uint64_t item = 0;
    if (!get(at, item)) return fail(EFAULT);
    if (item == 0) break;
    auto text = get_string(item, max_string);
    if (!text) return fail(text.error().code == ENAMETOOLONG ? E2BIG : text.error().code);
    total += text->size() + 9;
    if (total > max_strings_size) return fail(E2BIG);
    all.push_back(std::move(*text));
  }
  return all;
}

}  // namespace osp::linux
