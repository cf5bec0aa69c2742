#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "libosp/file/locks.h"
#include "libosp/file/numbers.h"
#include "libosp/task/thread.h"
#include "libosp/task/wait_queue.h"
#include "libosp/trap/fast.h"
#include "pip/server.h"

namespace osp::file {

// An open file description that the core serves itself (a πp file, /proc/self/maps, a signalfd); those of
// the host's are the host's alone. The program's fd of the same number is taken in the host by a
// placeholder, so numbers agree. All calls may block the calling thread; buffers are the program's memory,
// so a bad one is -EFAULT. Results are the system call's.
class Description {
 public:
  virtual ~Description();
  virtual long read(task::Thread& thread, void* to, size_t size) = 0;
  virtual long write(task::Thread& thread, const void* from, size_t size) = 0;
  virtual long pread(task::Thread& thread, void* to, size_t size, int64_t offset);
  virtual long pwrite(task::Thread& thread, const void* from, size_t size, int64_t offset);
  virtual long seek(int64_t offset, int whence);
  virtual long list(task::Thread& thread, void* to, size_t size);  // getdents64(2)
  virtual Result<pip::Attributes> stat() = 0;
  virtual long truncate(uint64_t size);
  // Makes the bytes from one offset to another zeros.
  virtual long zero(uint64_t, uint64_t) { return -EOPNOTSUPP; }
  virtual long sync() { return 0; }
  // ioctl(2). -ENOTTY: not of this kind.
  virtual long control(task::Thread& thread, uint64_t request, uint64_t argument);
  // poll(2): which of POLLIN POLLOUT POLLERR POLLHUP POLLRDHUP POLLPRI hold now.
  [[nodiscard]] virtual short ready() const { return POLLIN | POLLOUT; }
  // Notified when ready() may have changed; null: it never does (a regular file).
  virtual task::WaitQueue* changes() { return nullptr; }
  // Opened once more through /proc/self/fd, where it has no name. Null: it cannot be.
  [[nodiscard]] virtual std::shared_ptr<Description> reopened(int) { return nullptr; }
  virtual Result<void> change(const pip::AttributeChange& change);
  virtual Result<pip::PageRange> map(uint64_t offset, uint64_t size, bool writable);
  // As pread(2) into the core's own memory. ENODEV: it has no contents that could be mapped.
  virtual Result<size_t> contents(uint64_t, std::span<std::byte>) { return fail(ENODEV); }
  // A host's fd whose locks (fcntl(2), flock(2)) stand for the file's among all processes of the environment; it stays
  // this object's. Minus an errno: there is none.
  virtual int lock_fd() { return -ENODEV; }
  // What must be granted before a lock is taken on lock_fd(), and what must be told then; as pip::File's.
  virtual Result<pip::LockAnswer> lock(pip::LockKind, const pip::LockRange&) { return pip::LockAnswer{}; }
  virtual void lock_settled() {}
  virtual void lock_released() {}
  [[nodiscard]] virtual int held_lock_fd() const { return -1; }  // the same, if anybody has asked for it yet
  // Two that are open on the same file have the same.
  [[nodiscard]] virtual FileIdentity identity();
  virtual long close() { return 0; }  // of the last fd; the error of close(2)
  virtual void inherited() {}         // in a forked child
  // For a checkpoint: how path() can be opened again. Nothing: it cannot.
  struct Origin {
    std::string server;  // pip::Server::name(); empty: path() means what the name space says
    uint64_t offset = 0;
  };
  [[nodiscard]] virtual std::optional<Origin> origin() const { return std::nullopt; }
  // Where it was opened, absolute in the name space; empty for what has no name.
  [[nodiscard]] const std::string& path() const { return path_; }
  void set_path(std::string path) { path_ = std::move(path); }

  // What it was opened for; with O_PATH it is a name, and nothing else.
  [[nodiscard]] bool is_name_only() const { return (flags & O_PATH) != 0; }
  [[nodiscard]] bool is_readable() const { return (flags & O_ACCMODE) != O_WRONLY && !is_name_only(); }
  [[nodiscard]] bool is_writable() const { return (flags & O_ACCMODE) != O_RDONLY && !is_name_only(); }

  int flags = 0;           // O_ACCMODE, O_APPEND, O_NONBLOCK… as fcntl(F_GETFL)
  bool has_locks = false;  // natively: has had locks of its own (flock(2), F_OFD_SETLK)

 private:
  std::string path_;
};

// The fds of the process that the core serves. Not thread-safe (one worker).
class Files {
 public:
  Files();  // the host's numbers, or natively the core's own
  // What a process forked natively has: the same files, in numbers of its own.
  [[nodiscard]] std::unique_ptr<Files> clone() const;
  // Null: the host's (or not open at all).
  [[nodiscard]] Description* find(int fd) const {
    return static_cast<size_t>(fd) < table_.size() ? table_[static_cast<size_t>(fd)].get() : nullptr;
  }
  [[nodiscard]] std::shared_ptr<Description> share(int fd) const;
  // Takes the lowest free number (from `lowest` on). The fd, or minus an errno.
  long install(std::shared_ptr<Description> file, bool close_on_exec, int lowest = 0);
  // dup2(2)-like: `fd` becomes this file, whatever it was.
  long install_at(int fd, std::shared_ptr<Description> file, bool close_on_exec);
  // The host's fd of this number is the file's placeholder already.
  void adopt(int fd, std::shared_ptr<Description> file) { set(fd, std::move(file)); }
  // Forgets the number (its host placeholder is the caller's to close); the result of the last close.
  long forget(int fd);
  // The same, and gives the number back: close(2). EBADF.
  long close(int fd);
  [[nodiscard]] Numbers& numbers() { return *numbers_; }
  void close_on_exec();  // the host's fds too
  void after_fork();
  // Directories of the host that were opened through the name space: their names there.
  void remember_directory(int fd, std::string path);
  [[nodiscard]] const std::string* directory_path(int fd) const;
  [[nodiscard]] bool remembers_directories() const { return !directories_.empty(); }
  void close_all();
  [[nodiscard]] const std::vector<std::shared_ptr<Description>>& table() const { return table_; }

  // trap::FdMarks by number, for calls that are answered outside the core proper. They stay where they are, since other
  // workers look at them without the core lock; from `first_core_fd` on there is none.
  static constexpr int first_core_fd = 1024;
  using Marks = std::array<uint8_t, first_core_fd>;
  [[nodiscard]] const Marks& marks() const { return marks_; }
  // Of a host's fd, which has a mark as long as it is open and nobody changes O_NONBLOCK of the file.
  [[nodiscard]] bool has_mark(int fd, trap::FdMark mark) const {
    return static_cast<size_t>(fd) < marks_.size() && (marks_[static_cast<size_t>(fd)] & mark) != 0;
  }
  void mark(int fd, trap::FdMark mark) {
    if (static_cast<size_t>(fd) < marks_.size()) marks_[static_cast<size_t>(fd)] |= mark;
  }
  void remove_mark(int fd, trap::FdMark mark) {
    if (static_cast<size_t>(fd) < marks_.size()) marks_[static_cast<size_t>(fd)] &= static_cast<uint8_t>(~mark);
  }
  // Some fds may wait again: of which, only the host knows.
  void forget_who_never_waits();

  // signalfds that are readable by it are woken; and may no longer be, when one was taken.
  void signal_arrived(int signo);
  void signal_taken();

 private:
  explicit Files(std::unique_ptr<Numbers> numbers) : numbers_(std::move(numbers)) {}
  void set(int fd, std::shared_ptr<Description> file);

  std::unique_ptr<Numbers> numbers_;
  std::vector<std::shared_ptr<Description>> table_;
  Marks marks_ = {};
  std::map<int, std::string> directories_;
};

// What the host calls the file that an fd is open on; empty: it does not tell.
std::string host_path_of(int fd);
// Every open fd of the host process, the core's own too; natively those of the process that runs.
std::vector<int> open_fds();

// The core's own fds live above what programs see: moves `fd` there; the new one, or minus an errno.
long keep_fd(int fd);
// None of the core's own fds is below.
int lowest_core_fd();
// Whether the number is one of the core's own; the program sees EBADF.
bool is_core_fd(int fd);
// Closes one of the core's own.
void drop_fd(int fd);

}  // namespace osp::file
