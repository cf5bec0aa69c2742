// The program's open files from an image, at their old numbers.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/proc.h"
#include "libosp/file/reopen.h"
#include "libosp/file/signal_file.h"
#include "migrate/restore_parts.h"

namespace osp::migrate {
namespace {

constexpr int64_t second_ns = 1'000'000'000;
constexpr unsigned long tcgets2 = 0x802c542a, tcsets2 = 0x402c542b, tfd_set_ticks = 0x40085400;
constexpr int status_flags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC;

class FileRestore {
 public:
  explicit FileRestore(Restore& restore) : r_(restore) {}
  Restored run();
  Restored run_with_threads();

 private:
  [[nodiscard]] const Description& description(size_t index) const { return r_.manifest.descriptions[index]; }
  Restored make_all();
  // A core's fd for the description, or minus an errno.
  long make(uint32_t index);
  long make_file(const Description& d);
  long make_object_file(const Description& d);
  long make_pipe_end(const Description& d);
  long make_event(const Description& d);
  long make_timer(const Description& d);
  long make_signals(uint32_t index);
  long make_inherited(uint32_t index);
  void set_terminal(int fd, const Terminal& terminal);
  Restored place_all();
  Restored fill_epolls();
  void take_locks();
  // What the core serves, by its path.
  [[nodiscard]] Result<std::shared_ptr<file::Description>> reopen(const Description& d) const {
    return file::reopen(r_.process, r_.manifest.files[d.file].path, static_cast<int>(d.flags), d.offset);
  }
  // A file of /proc that the core serves: its text is of the process's threads.
  [[nodiscard]] bool is_of_threads(const Description& d) const;
  [[nodiscard]] int lowest_fd(uint32_t index) const;
  [[nodiscard]] std::string what(uint32_t index) const;

  Restore& r_;
  std::vector<int> made_;                         // by description
  std::map<uint32_t, std::array<int, 2>> pipes_;  // both ends, by pipe
  std::map<uint32_t, int> sockets_;               // second ends of pairs, by description
};

int FileRestore::lowest_fd(uint32_t index) const {
  for (const FdEntry& entry : r_.saved().fds)
    if (entry.description == index) return entry.fd;
  return -1;
}

bool FileRestore::is_of_threads(const Description& d) const {
  if (d.file == none || d.comeback == Comeback::inherit) return false;
  const FileRef& file = r_.manifest.files[d.file];
  return !is_host_file(file) && file::is_core_proc(file.path);
}

std::string FileRestore::what(uint32_t index) const {
  const Description& d = description(index);
  return fmt::format("fd {}{}", lowest_fd(index), d.file != none ? ", " + r_.manifest.files[d.file].path : "");
}

// The same file under another open file description.
long open_again(int fd, int flags) {
  return raw::syscall(SYS_openat, AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str(), flags | O_CLOEXEC | O_NOCTTY);
}

long FileRestore::make_file(const Description& d) {
  const FileRef& file = r_.manifest.files[d.file];
  const int flags = static_cast<int>(d.flags) & ~(O_CREAT | O_EXCL | O_TRUNC);
  const bool special = d.kind == DescriptionKind::device;
  const long fd =
      raw::syscall(SYS_openat, AT_FDCWD, file.path.c_str(), flags | O_CLOEXEC | O_NOCTTY | (special ? O_NONBLOCK : 0));
  if (fd < 0 || d.kind == DescriptionKind::path_only) return fd;
  if (special) raw::syscall(SYS_fcntl, fd, F_SETFL, flags & status_flags);
  const bool writable = (flags & O_ACCMODE) != O_RDONLY;
  if (r_.changed == ChangedFiles::truncate && writable && d.kind == DescriptionKind::file)
    raw::syscall(SYS_ftruncate, fd, file.identity.size);
  raw::syscall(SYS_lseek, fd, d.offset, SEEK_SET);
  return fd;
}

long FileRestore::make_object_file(const Description& d) {
  const long fd = open_again(r_.objects[d.object], static_cast<int>(d.flags) & (O_ACCMODE | status_flags));
  if (fd >= 0) raw::syscall(SYS_lseek, fd, d.offset, SEEK_SET);
  return fd;
}

long FileRestore::make_pipe_end(const Description& d) {
  auto [found, is_new] = pipes_.try_emplace(d.pipe, std::array<int, 2>{-1, -1});
  auto& ends = found->second;
  if (is_new) {
    int both[2] = {-1, -1};
    if (const long error = raw::syscall(SYS_pipe2, both, O_CLOEXEC); error < 0) return error;
    for (size_t i = 0; i < 2; ++i) ends[i] = static_cast<int>(file::keep_fd(both[i]));
    const Pipe& pipe = r_.manifest.pipes[d.pipe];
    raw::syscall(SYS_fcntl, ends[1], F_SETPIPE_SZ, pipe.capacity);
    raw::syscall(SYS_fcntl, ends[1], F_SETFL, O_NONBLOCK);
    if (!pipe.contents.empty()) raw::write(ends[1], pipe.contents.data(), pipe.contents.size());
    raw::syscall(SYS_fcntl, ends[1], F_SETFL, 0);
  }
  const int flags = static_cast<int>(d.flags);
  const bool plain = (flags & O_ACCMODE) == O_RDONLY || (flags & O_ACCMODE) == O_WRONLY;
  const int end = ends[(flags & O_ACCMODE) == O_RDONLY ? 0 : 1];
  return plain ? open_again(end, flags & (O_ACCMODE | status_flags)) : open_again(end, O_RDWR | (flags & status_flags));
}

long FileRestore::make_event(const Description& d) {
  const unsigned flags = EFD_CLOEXEC | (d.event_fd.semaphore ? EFD_SEMAPHORE : 0) | (d.flags & O_NONBLOCK);
  const long fd = raw::syscall(SYS_eventfd2, 0, flags);
  if (fd >= 0 && d.event_fd.value != 0) raw::write(static_cast<int>(fd), &d.event_fd.value, sizeof d.event_fd.value);
  return fd;
}

long FileRestore::make_timer(const Description& d) {
  const TimerFd& timer = d.timer_fd;
  const long fd = raw::syscall(SYS_timerfd_create, timer.clock, TFD_CLOEXEC | (d.flags & O_NONBLOCK));
  if (fd < 0) return fd;
  if (timer.next_ns != 0) {
    const int64_t left = std::max<int64_t>(1, timer.next_ns - r_.program_now());
    const itimerspec when = {{timer.interval_ns / second_ns, timer.interval_ns % second_ns},
                             {left / second_ns, left % second_ns}};
    raw::syscall(SYS_timerfd_settime, fd, 0, &when, 0);
  }
  if (timer.expirations != 0) raw::syscall(SYS_ioctl, fd, tfd_set_ticks, &timer.expirations);
  return fd;
}

long FileRestore::make_signals(uint32_t index) {
  const Description& d = description(index);
  const long fd = raw::syscall(SYS_eventfd2, 0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return fd;
  const long kept = file::keep_fd(static_cast<int>(raw::syscall(SYS_dup, fd)));
  if (kept < 0) return kept;
  auto served = std::make_shared<file::SignalFile>(d.signal_mask, static_cast<int>(kept));
  served->flags = static_cast<int>(d.flags);
  r_.served[index] = std::move(served);
  return fd;
}

void FileRestore::set_terminal(int fd, const Terminal& terminal) {
  std::array<std::byte, 64> now = {};
  if (terminal.termios.empty() || terminal.termios.size() > now.size()) return;
  if (raw::syscall(SYS_ioctl, fd, tcgets2, now.data()) < 0) return;  // not a terminal
  if (std::equal(terminal.termios.begin(), terminal.termios.end(), now.begin())) return;
  const uint64_t all = ~uint64_t{0};
  uint64_t before = 0;  // in the background this would stop us
  raw::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, 8);
  raw::syscall(SYS_ioctl, fd, tcsets2, terminal.termios.data());
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, 8);
}

long FileRestore::make_inherited(uint32_t index) {
  const Description& d = description(index);
  const int number = lowest_fd(index);
  const auto is_terminal = [](int fd) {
    std::array<std::byte, 64> modes = {};
    return fd >= 0 && raw::syscall(SYS_ioctl, fd, tcgets2, modes.data()) == 0;
  };
  int from = number >= 0 && number < 3 ? r_.standard[static_cast<size_t>(number)] : -1;
  if (d.kind == DescriptionKind::terminal && !is_terminal(from) && number > 2)
    for (const int fd : r_.standard)
      if (is_terminal(fd)) from = fd;
  if (from < 0) return raw::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  if (d.kind == DescriptionKind::terminal) set_terminal(from, d.terminal);
  return raw::syscall(SYS_dup, from);
}

long FileRestore::make(uint32_t index) {
  const Description& d = description(index);
  if (d.comeback == Comeback::inherit) return make_inherited(index);
  const bool served = d.file != none && !is_host_file(r_.manifest.files[d.file]);
  const bool is_there = r_.served.contains(index);
  if (served && !is_there && !is_of_threads(d)) {
    auto opened = reopen(d);
    if (!opened) return -opened.error().code;
    r_.served[index] = std::move(*opened);
  }
  if (served || is_there) return raw::syscall(SYS_memfd_create, "osp", 1);  // its number's placeholder
  switch (d.kind) {
    case DescriptionKind::file:
    case DescriptionKind::directory:
    case DescriptionKind::path_only:
    case DescriptionKind::device:
      return make_file(d);
    case DescriptionKind::memfd:
      return make_object_file(d);
    case DescriptionKind::pipe:
      return make_pipe_end(d);
    case DescriptionKind::eventfd:
      return make_event(d);
    case DescriptionKind::timerfd:
      return make_timer(d);
    case DescriptionKind::signalfd:
      return make_signals(index);
    case DescriptionKind::epoll:
      return raw::syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
    case DescriptionKind::socket:
      return restore_socket(r_.manifest, index, sockets_);
    default:
      return raw::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);  // left out by --force
  }
}

Restored FileRestore::make_all() {
  for (uint32_t i = 0; i < r_.manifest.descriptions.size(); ++i) {
    const long fd = make(i);
    const long kept = fd < 0 || file::is_core_fd(static_cast<int>(fd)) ? fd : file::keep_fd(static_cast<int>(fd));
    if (kept < 0) return because(what(i), kept);
    const Description& d = description(i);
    if (d.owner == r_.saved().pid) raw::syscall(SYS_fcntl, kept, F_SETOWN, raw::getpid());
    if (d.signal != 0) raw::syscall(SYS_fcntl, kept, F_SETSIG, d.signal);
    made_.push_back(static_cast<int>(kept));
  }
  for (uint32_t i = 0; i < made_.size(); ++i)
    if (const long connected = connect_to_listener(r_.manifest, i, made_[i]); connected < 0)
      return because(what(i), connected);
  for (const auto& [pipe, ends] : pipes_)
    for (const int end : ends) file::drop_fd(end);
  return {};
}

Restored FileRestore::place_all() {
  for (int fd = 0; fd < 3; ++fd) raw::close(fd);
  for (const FdEntry& entry : r_.saved().fds) {
    const long placed = raw::syscall(SYS_dup3, made_[entry.description], entry.fd, entry.close_on_exec ? O_CLOEXEC : 0);
    if (placed < 0) return because(fmt::format("fd {}", entry.fd), placed);
    if (const auto served = r_.served.find(entry.description); served != r_.served.end())
      r_.process.files->adopt(entry.fd, served->second);
  }
  for (const int fd : made_) file::drop_fd(fd);
  return {};
}

Restored FileRestore::fill_epolls() {
  for (uint32_t i = 0; i < r_.manifest.descriptions.size(); ++i) {
    for (const EpollEntry& entry : description(i).epoll) {
      epoll_event event = {};
      event.events = entry.events, event.data.u64 = entry.data;
      const long added = raw::syscall(SYS_epoll_ctl, lowest_fd(i), EPOLL_CTL_ADD, entry.fd, &event);
      if (added < 0 && added != -EPERM)
        return because(fmt::format("epoll at fd {} with fd {}", lowest_fd(i), entry.fd), added);
    }
  }
  return {};
}

// Last, since closing any fd of a file drops the process's POSIX locks on it.
void FileRestore::take_locks() {
  for (uint32_t i = 0; i < r_.manifest.descriptions.size(); ++i) {
    for (const Lock& lock : description(i).locks) {
      const auto served = r_.served.find(i);
      const int fd = served == r_.served.end() ? lowest_fd(i) : served->second->lock_fd();
      struct flock range = {};
      range.l_type = lock.exclusive ? F_WRLCK : F_RDLCK;
      range.l_whence = SEEK_SET;
      range.l_start = static_cast<off_t>(lock.start), range.l_len = static_cast<off_t>(lock.length);
      const pip::LockRange wanted{
          .type = lock.exclusive ? pip::LockType::exclusive : pip::LockType::shared,
          .first = lock.kind == 2 ? 0 : lock.start,
          .last = lock.kind == 2 || lock.length == 0 ? pip::LockRange::most : lock.start + lock.length - 1};
      const auto granted =
          served == r_.served.end()
              ? pip::LockAnswer{}
              : served->second->lock(lock.kind == 2 ? pip::LockKind::whole : pip::LockKind::range, wanted);
      const bool is_granted = granted && granted->is_granted;
      const long taken = !is_granted      ? -EAGAIN
                         : lock.kind == 2 ? raw::syscall(SYS_flock, fd, (lock.exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)
                                          : raw::syscall(SYS_fcntl, fd, lock.kind == 1 ? F_OFD_SETLK : F_SETLK, &range);
      if (is_granted && served != r_.served.end()) served->second->lock_settled();
      if (taken < 0) log::warn("restore", "{}: its lock is held by somebody else now", what(i));
    }
  }
}

Restored FileRestore::run_with_threads() {
  for (uint32_t i = 0; i < r_.manifest.descriptions.size(); ++i) {
    const Description& d = description(i);
    if (!is_of_threads(d)) continue;
    auto opened = reopen(d);
    if (!opened) return because(what(i), -opened.error().code);
    for (const FdEntry& entry : r_.saved().fds)
      if (entry.description == i) r_.process.files->adopt(entry.fd, *opened);
  }
  return {};
}

Restored FileRestore::run() {
  OSP_TRY(make_all());
  OSP_TRY(place_all());
  OSP_TRY(fill_epolls());
  take_locks();
  return {};
}

}  // namespace

Restored restore_files(Restore& restore) { return FileRestore(restore).run(); }
Restored restore_files_of_threads(Restore& restore) { return FileRestore(restore).run_with_threads(); }

}  // namespace osp::migrate
