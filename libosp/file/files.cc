#include "libosp/file/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/file/host_numbers.h"
#include "libosp/file/signal_file.h"
#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::file {
namespace {

constexpr int first_core_fd = Files::first_core_fd, core_fds_below_limit = 64;

[[gnu::section(".hot_data")]] std::vector<bool> core_fds;  // by number
[[gnu::section(".hot_data")]] int lowest_kept = first_core_fd;

bool is_out_of_numbers(long result) { return result == -EMFILE || result == -EINVAL; }

// The program's soft limit (RLIMIT_NOFILE) is for its own fds: for a moment it is the hard one. Where that is low too,
// below it.
long duplicate_beyond_limit(int fd) {
  rlimit limit = {};
  raw::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &limit);
  const rlimit raised = {limit.rlim_max, limit.rlim_max};
  raw::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &raised, nullptr);
  const int hard = static_cast<int>(std::min<rlim_t>(limit.rlim_max, first_core_fd));
  long made = -EMFILE;
  for (const int from : {first_core_fd, hard - core_fds_below_limit, hard / 2})
    if (is_out_of_numbers(made)) made = raw::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from);
  raw::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr);
  return made;
}

std::vector<int> list_fds() {
  std::vector<int> fds;
  const long directory = raw::syscall(SYS_open, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  alignas(8) char buffer[4096];
  long size = 0;
  while ((size = raw::syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
    for (long at = 0; at < size;) {
      uint16_t length = 0;
      std::memcpy(&length, buffer + at + 16, sizeof length);
      const char* name = buffer + at + 19;
      if (*name != '.') {
        int fd = 0;
        for (; *name != '\0'; ++name) fd = fd * 10 + (*name - '0');
        if (fd != directory) fds.push_back(fd);
      }
      at += length;
    }
  }
  raw::close(static_cast<int>(directory));
  return fds;
}

// The same where they are few and low, for a fifth of what the listing costs: since Linux 6.2 the directory's size is
// how many are open (proc_readfd_count() in fs/proc/fd.c). Empty: it has to be listed; a shell has one at 255, say.
std::vector<int> count_fds_up() {
  constexpr int most_misses = 16;
  struct stat st = {};
  if (raw::syscall(SYS_stat, "/proc/self/fd", &st) != 0) return {};
  std::vector<int> own, fds;
  for (size_t fd = 0; fd < core_fds.size(); ++fd)
    if (core_fds[fd]) own.push_back(static_cast<int>(fd));
  const size_t count = static_cast<size_t>(st.st_size);
  for (int fd = 0, misses = 0; fds.size() + own.size() < count; ++fd) {
    if (misses == most_misses || fd >= lowest_kept) return {};
    if (raw::syscall(SYS_fcntl, fd, F_GETFD) >= 0) {
      fds.push_back(fd);
    } else {
      ++misses;
    }
  }
  if (fds.size() + own.size() != count) return {};
  fds.insert(fds.end(), own.begin(), own.end());
  return fds;
}

}  // namespace

std::string host_path_of(int fd) {
  char target[4096];
  const long size = raw::syscall(SYS_readlink, fmt::format("/proc/self/fd/{}", fd).c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : std::string();
}

std::vector<int> open_fds() {
  if (host::is_native()) return task::process().files->numbers().taken();
  if (auto fds = count_fds_up(); !fds.empty()) return fds;
  return list_fds();
}

long keep_fd(int fd) {
  if (fd < 0) return fd;
  long kept = raw::syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_core_fd);
  if (is_out_of_numbers(kept)) kept = duplicate_beyond_limit(fd);
  raw::close(fd);
  if (kept < 0) return kept;
  if (static_cast<size_t>(kept) >= core_fds.size()) core_fds.resize(static_cast<size_t>(kept) + 64);
  core_fds[static_cast<size_t>(kept)] = true;
  lowest_kept = std::min(lowest_kept, static_cast<int>(kept));
  return kept;
}

void drop_fd(int fd) {
  if (!is_core_fd(fd)) return;
  core_fds[static_cast<size_t>(fd)] = false;
  raw::close(fd);
}

int lowest_core_fd() { return lowest_kept; }

bool is_core_fd(int fd) {
  return fd >= 0 && static_cast<size_t>(fd) < core_fds.size() && core_fds[static_cast<size_t>(fd)];
}

std::shared_ptr<Description> Files::share(int fd) const {
  return static_cast<size_t>(fd) < table_.size() ? table_[static_cast<size_t>(fd)] : nullptr;
}

Files::Files() {
  if (host::is_native()) {
    numbers_ = std::make_unique<OwnNumbers>();
  } else {
    numbers_ = std::make_unique<HostNumbers>();
  }
}

std::unique_ptr<Files> Files::clone() const {
  std::unique_ptr<Files> files(new Files(numbers_->clone()));
  files->table_ = table_, files->marks_ = marks_, files->directories_ = directories_;
  return files;
}

void Files::set(int fd, std::shared_ptr<Description> file) {
  const auto index = static_cast<size_t>(fd);
  if (index >= table_.size()) table_.resize(index + 1);
  table_[index] = std::move(file);
  if (index < marks_.size()) marks_[index] = table_[index] != nullptr ? trap::fd_is_served : 0;
}

long Files::install(std::shared_ptr<Description> file, bool close_on_exec, int lowest) {
  const long fd = numbers_->take(lowest, close_on_exec);
  if (fd >= 0) set(static_cast<int>(fd), std::move(file));
  return fd;
}

long Files::install_at(int fd, std::shared_ptr<Description> file, bool close_on_exec) {
  if (const long result = numbers_->take_at(fd, close_on_exec); result < 0) return result;
  forget(fd);
  set(fd, std::move(file));
  return fd;
}

void Files::forget_who_never_waits() {
  for (uint8_t& marks : marks_) marks &= static_cast<uint8_t>(~trap::fd_never_waits);
}

void Files::after_fork() {
  // A description with several fds is inherited once.
  for (size_t fd = 0; fd < table_.size(); ++fd) {
    const auto& file = table_[fd];
    if (file == nullptr) continue;
    if (std::find(table_.begin(), table_.begin() + static_cast<ptrdiff_t>(fd), file) ==
        table_.begin() + static_cast<ptrdiff_t>(fd))
      file->inherited();
  }
}

void Files::remember_directory(int fd, std::string path) { directories_[fd] = std::move(path); }

const std::string* Files::directory_path(int fd) const {
  const auto found = directories_.find(fd);
  return found == directories_.end() ? nullptr : &found->second;
}

long Files::forget(int fd) {
  if (!directories_.empty()) directories_.erase(fd);
  remove_mark(fd, trap::fd_never_waits);
  std::shared_ptr<Description> file = share(fd);
  if (file == nullptr) return 0;
  set(fd, nullptr);
  if (host::is_native()) locks().fd_closed(*this, *file);
  return file.use_count() == 1 ? file->close() : 0;
}

long Files::close(int fd) {
  if (find(fd) == nullptr) return -EBADF;
  numbers_->give_back(fd);
  return forget(fd);
}

void Files::close_on_exec() {
  for (const int fd : numbers_->taken())
    if (numbers_->closes_on_exec(fd)) {
      numbers_->give_back(fd);
      forget(fd);
    }
}

void Files::close_all() {
  for (size_t fd = 0; fd < table_.size(); ++fd) forget(static_cast<int>(fd));
}

void Files::signal_arrived(int signo) {
  for (const auto& file : table_)
    if (auto* signals = dynamic_cast<SignalFile*>(file.get())) signals->arrived(signo);
}

void Files::signal_taken() {
  for (const auto& file : table_)
    if (auto* signals = dynamic_cast<SignalFile*>(file.get())) signals->taken();
}

}  // namespace osp::file
