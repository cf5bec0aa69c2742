// The program's open files for an image. Its fds are the host's of the same numbers (file/files.h).
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/reopen.h"
#include "libosp/file/signal_file.h"
#include "migrate/checkpoint_parts.h"

namespace osp::migrate {
namespace {

constexpr int last_standard = 2;
constexpr int64_t second_ns = 1'000'000'000;
constexpr unsigned long tcgets2 = 0x802c542a, tiocgwinsz = 0x5413;

struct Opened {
  int fd = -1;
  struct stat st = {};
  std::string link, info;  // readlink and fdinfo
  uint32_t description = none;
};

// Whether the peer of a unix socket has something to read: of one that is not accepted, nobody can tell what.
bool has_sent(int fd) {
  int unread = 0;
  return raw::syscall(SYS_ioctl, fd, TIOCOUTQ, &unread) < 0 || unread != 0;
}

class FileCapture {
 public:
  explicit FileCapture(Capture& capture) : c_(capture) {}
  Result<void> run();

 private:
  Result<void> add(int fd);
  [[nodiscard]] uint32_t same_as(const Opened& file) const;
  Result<void> describe(const Opened& file, Description& d);
  Result<void> describe_regular(const Opened& file, Description& d);
  void describe_character(const Opened& file, Description& d);
  void describe_anonymous(const Opened& file, Description& d);
  void describe_served(const Opened& file, file::Description& served, Description& d);
  [[nodiscard]] bool can_come_back(const file::Description& served, const file::Description::Origin& origin,
                                   uint64_t id) const;
  void keep_served(const Opened& file, file::Description& served, Description& d);
  void describe_timer(const Opened& file, Description& d) const;
  Result<void> connect_pipes();
  Result<void> keep_contents(const Opened& reader, Pipe& pipe) const;
  void connect_pairs();
  void fill_epolls();
  void refuse(const Opened& file, std::string what) { c_.note(file.fd, std::move(what), true); }
  Description& description(const Opened& file) { return c_.manifest.descriptions[file.description]; }

  Capture& c_;
  std::vector<Opened> opened_;  // every fd, ascending
};

std::vector<Lock> locks_of(const std::string& info) {
  std::vector<Lock> locks;
  for (size_t at = info.find("lock:"); at != std::string::npos; at = info.find("lock:", at + 1)) {
    std::vector<std::string> words;
    const std::string line = info.substr(at, info.find('\n', at) - at);
    for (size_t i = 0; i < line.size();) {
      const size_t start = line.find_first_not_of(" \t", i);
      if (start == std::string::npos) break;
      const size_t end = std::min(line.find_first_of(" \t", start), line.size());
      words.push_back(line.substr(start, end - start));
      i = end;
    }
    if (words.size() < 9) continue;  // lock: 1: POSIX ADVISORY WRITE pid dev:ino start end
    Lock lock;
    lock.kind = words[2] == "POSIX" ? 0 : words[2] == "OFDLCK" ? 1 : 2;
    lock.exclusive = words[4] == "WRITE";
    lock.start = static_cast<uint64_t>(to_number(words[7]));
    lock.length = words[8] == "EOF" ? 0 : static_cast<uint64_t>(to_number(words[8])) + 1 - lock.start;
    locks.push_back(lock);
  }
  return locks;
}

bool is_terminal(int fd, Terminal& terminal) {
  termios2 modes = {};
  if (raw::syscall(SYS_ioctl, fd, tcgets2, &modes) < 0) return false;
  const auto* start = reinterpret_cast<const std::byte*>(&modes);
  terminal.termios.assign(start, start + sizeof modes);
  uint16_t size[4] = {};
  if (raw::syscall(SYS_ioctl, fd, tiocgwinsz, size) == 0) terminal.rows = size[0], terminal.columns = size[1];
  return true;
}

bool hung_up(int fd) {
  pollfd wait = {fd, 0, 0};
  const timespec none_left = {};
  raw::syscall(SYS_ppoll, &wait, 1, &none_left, 0, 8);
  return (wait.revents & (POLLHUP | POLLERR)) != 0;
}

int access_mode(const Description& d) { return static_cast<int>(d.flags) & O_ACCMODE; }

uint32_t FileCapture::same_as(const Opened& file) const {
  for (const Opened& other : opened_) {
    if (other.st.st_dev != file.st.st_dev || other.st.st_ino != file.st.st_ino || other.link != file.link) continue;
    const long order = raw::syscall(SYS_kcmp, raw::getpid(), raw::getpid(), 0, other.fd, file.fd);
    if (order == 0) return other.description;
    if (order < 0 && other.info == file.info) return other.description;  // the host will not say: it looks the same
  }
  return none;
}

Result<void> FileCapture::add(int fd) {
  Opened file;
  file.fd = fd;
  OSP_TRY(from_raw<void>(raw::syscall(SYS_fstat, fd, &file.st)));
  file.link = link_target(fmt::format("/proc/self/fd/{}", fd));
  file.info = host_text(fmt::format("/proc/self/fdinfo/{}", fd));
  file.description = same_as(file);
  if (file.description == none) {
    file.description = static_cast<uint32_t>(c_.manifest.descriptions.size());
    Description d;
    d.flags = static_cast<uint32_t>(raw::syscall(SYS_fcntl, fd, F_GETFL));
    d.signal = static_cast<int32_t>(raw::syscall(SYS_fcntl, fd, F_GETSIG));
    if (raw::syscall(SYS_fcntl, fd, F_GETOWN) == raw::getpid()) d.owner = c_.process.pid;
    OSP_TRY(describe(file, d));
    c_.manifest.descriptions.push_back(std::move(d));
  }
  const bool close_on_exec = (raw::syscall(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC) != 0;
  c_.image().fds.push_back({fd, file.description, close_on_exec});
  opened_.push_back(std::move(file));
  return {};
}

Result<void> FileCapture::describe(const Opened& file, Description& d) {
  if (file::Description* served = c_.process.files->find(file.fd)) {
    describe_served(file, *served, d);
    return {};
  }
  switch (file.st.st_mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
      return describe_regular(file, d);
    case S_IFIFO:
      d.kind = DescriptionKind::pipe;
      d.comeback = Comeback::contents;
      return {};
    case S_IFSOCK:
      d.kind = DescriptionKind::socket;
      return capture_socket(c_, file.fd, d);
    case S_IFCHR:
    case S_IFBLK:
      describe_character(file, d);
      return {};
    default:
      describe_anonymous(file, d);
      return {};
  }
}

Result<void> FileCapture::describe_regular(const Opened& file, Description& d) {
  const bool directory = S_ISDIR(file.st.st_mode);
  const bool path_only = (d.flags & O_PATH) != 0;
  d.kind = path_only ? DescriptionKind::path_only : directory ? DescriptionKind::directory : DescriptionKind::file;
  d.offset = static_cast<uint64_t>(std::max<int64_t>(0, to_number(value_of(file.info, "pos:"))));
  d.locks = locks_of(file.info);
  d.file = c_.file_ref(file.link, file.st.st_dev, file.st.st_ino);
  if (d.file != none) return {};
  if (directory || path_only) {
    refuse(file, file.link + " has no name any more");
    return {};
  }
  const bool memfd = file.link.starts_with("/memfd:");
  const std::string name = memfd ? file.link.substr(7, file.link.rfind(" (deleted)") - 7) : file.link;
  d.kind = DescriptionKind::memfd;
  d.comeback = Comeback::contents;
  OSP_ASSIGN(d.object, c_.object_of(file.fd, memfd ? ObjectKind::memfd : ObjectKind::unlinked_file, name));
  if (!memfd) c_.note(file.fd, name + ": its contents are in the image; it comes back without a name", false);
  return {};
}

void FileCapture::describe_character(const Opened& file, Description& d) {
  if (is_terminal(file.fd, d.terminal)) {
    d.kind = DescriptionKind::terminal;
    d.comeback = Comeback::inherit;
    c_.note(file.fd, "terminal: that of who restores", false);
    return;
  }
  d.kind = DescriptionKind::device;
  d.offset = static_cast<uint64_t>(std::max<int64_t>(0, to_number(value_of(file.info, "pos:"))));
  d.file = c_.file_ref(file.link, file.st.st_dev, file.st.st_ino);
  if (d.file == none) refuse(file, "device " + file.link + " cannot be opened again");
}

void FileCapture::describe_anonymous(const Opened& file, Description& d) {
  d.comeback = Comeback::contents;
  if (file.link == "anon_inode:[eventfd]") {
    d.kind = DescriptionKind::eventfd;
    d.event_fd.value = static_cast<uint64_t>(to_number(value_of(file.info, "eventfd-count:"), 16));
    d.event_fd.semaphore = value_of(file.info, "eventfd-semaphore:") == "1";
  } else if (file.link == "anon_inode:[timerfd]") {
    describe_timer(file, d);
  } else if (file.link == "anon_inode:[eventpoll]") {
    d.kind = DescriptionKind::epoll;
  } else {
    d.kind = DescriptionKind::inotify;
    refuse(file, file.link + ": the host does not tell what it is about");
  }
}

// "(seconds, ns)"
int64_t pair_ns(const std::string& text) {
  const size_t comma = text.find(',');
  if (text.size() < 2 || comma == std::string::npos) return 0;
  return to_number(std::string_view(text).substr(1)) * second_ns + to_number(std::string_view(text).substr(comma + 2));
}

void FileCapture::describe_timer(const Opened& file, Description& d) const {
  d.kind = DescriptionKind::timerfd;
  d.timer_fd.clock = static_cast<int32_t>(to_number(value_of(file.info, "clockid:")));
  d.timer_fd.flags = static_cast<uint32_t>(to_number(value_of(file.info, "settime flags:"), 8));
  d.timer_fd.expirations = static_cast<uint64_t>(to_number(value_of(file.info, "ticks:")));
  const int64_t left = pair_ns(value_of(file.info, "it_value:"));
  if (left != 0) d.timer_fd.next_ns = left + c_.program_now();
  d.timer_fd.interval_ns = pair_ns(value_of(file.info, "it_interval:"));
}

// Files of memory trees come back by number; others by name, which must still be theirs.
bool FileCapture::can_come_back(const file::Description& served, const file::Description::Origin& origin,
                                uint64_t id) const {
  if (origin.server.empty() || origin.server.starts_with("#m")) return true;
  const auto again = file::reopen(c_.process, served.path(), O_PATH, 0);
  const auto found = again ? (*again)->stat() : std::unexpected(again.error());
  return found && found->id == id;
}

// A remote file whose name is gone: its contents travel, if nobody can miss what is written to it.
void FileCapture::keep_served(const Opened& file, file::Description& served, Description& d) {
  const bool writes = access_mode(d) != O_RDONLY;
  const auto size = served.stat();
  const auto pages = writes || !size ? fail(EBUSY) : served.map(0, std::max<uint64_t>(1, size->size), false);
  const auto object =
      pages ? c_.object_of(pages->fd, ObjectKind::unlinked_file, served.path()) : std::unexpected(pages.error());
  if (!object) return refuse(file, served.path() + " has been renamed or removed on its server");
  d.kind = DescriptionKind::memfd;
  d.comeback = Comeback::contents;
  d.file = none;
  d.object = *object;
  c_.note(file.fd, served.path() + ": its contents are in the image; it comes back without a name", false);
}

void FileCapture::describe_served(const Opened& file, file::Description& served, Description& d) {
  d.flags = static_cast<uint32_t>(served.flags);
  d.comeback = Comeback::contents;
  if (const auto* signals = dynamic_cast<const file::SignalFile*>(&served)) {
    d.kind = DescriptionKind::signalfd;
    d.signal_mask = signals->mask();
    return;
  }
  const auto origin = served.origin();
  if (!origin) {
    d.kind = DescriptionKind::inotify;
    return refuse(file, served.path() + ": its server cannot open it again");
  }
  const auto attributes = served.stat();
  const uint32_t mode = attributes ? attributes->mode : 0;
  d.kind = S_ISDIR(mode) ? DescriptionKind::directory : DescriptionKind::file;
  d.comeback = Comeback::reopen;
  d.offset = origin->offset;
  if (const int fd = served.held_lock_fd(); fd >= 0)
    d.locks = locks_of(host_text(fmt::format("/proc/self/fdinfo/{}", fd)));
  d.file = c_.served_ref(origin->server, served.path(), attributes ? attributes->id : 0, mode);
  FileRef& ref = c_.manifest.files[d.file];
  if (attributes && !can_come_back(served, *origin, attributes->id)) return keep_served(file, served, d);
  if (attributes) ref.identity.version = attributes->version, ref.identity.size = attributes->size;
  if (attributes) ref.identity.mtime_ns = attributes->mtime_ns;
}

// Duplicates what is in the pipe into one of ours (tee(2)), and reads that.
Result<void> FileCapture::keep_contents(const Opened& reader, Pipe& pipe) const {
  int ours[2] = {-1, -1};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_pipe2, ours, O_CLOEXEC | O_NONBLOCK)));
  raw::syscall(SYS_fcntl, ours[1], F_SETPIPE_SZ, pipe.capacity);
  long size = raw::syscall(SYS_tee, reader.fd, ours[1], pipe.capacity, 2);  // SPLICE_F_NONBLOCK
  if (size > 0) {
    pipe.contents.resize(static_cast<size_t>(size));
    size = raw::read(ours[0], pipe.contents.data(), pipe.contents.size());
    pipe.contents.resize(size > 0 ? static_cast<size_t>(size) : 0);
  }
  raw::close(ours[0]);
  raw::close(ours[1]);
  return size >= 0 || size == -EAGAIN ? Result<void>() : fail(static_cast<int>(-size));
}

Result<void> FileCapture::connect_pipes() {
  std::map<uint64_t, uint32_t> known;
  for (const Opened& file : opened_) {
    Description& d = description(file);
    if (d.kind != DescriptionKind::pipe || d.pipe != none || d.comeback == Comeback::inherit) continue;
    const auto is_other_end = [&](const Opened& other) {
      return other.st.st_ino == file.st.st_ino && other.st.st_dev == file.st.st_dev &&
             (access_mode(description(other)) != access_mode(d) || access_mode(d) == O_RDWR);
    };
    const bool both = std::any_of(opened_.begin(), opened_.end(), is_other_end);
    if (!both && file.fd <= last_standard) {
      d.comeback = Comeback::inherit;
      c_.note(file.fd, "pipe to another process: that of who restores", false);
    } else if (!both && !hung_up(file.fd)) {
      refuse(file, "pipe to another process");
    }
    auto [found, is_new] = known.try_emplace(file.st.st_ino, static_cast<uint32_t>(c_.manifest.pipes.size()));
    d.pipe = found->second;
    if (is_new) {
      const long capacity = raw::syscall(SYS_fcntl, file.fd, F_GETPIPE_SZ);
      c_.manifest.pipes.emplace_back().capacity = capacity > 0 ? static_cast<uint32_t>(capacity) : 65536;
    }
    Pipe& pipe = c_.manifest.pipes[d.pipe];
    if (access_mode(d) != O_WRONLY && pipe.contents.empty() && d.comeback != Comeback::inherit)
      OSP_TRY(keep_contents(file, pipe));
  }
  return {};
}

void FileCapture::connect_pairs() {
  const bool any = std::any_of(opened_.begin(), opened_.end(), [](const Opened& f) { return S_ISSOCK(f.st.st_mode); });
  const auto peers = any ? unix_peers() : std::map<uint64_t, uint64_t>();
  for (const Opened& file : opened_) {
    Description& d = description(file);
    if (d.kind != DescriptionKind::socket || d.comeback != Comeback::reset) continue;
    const auto peer = peers.find(file.st.st_ino);
    const auto other = std::find_if(opened_.begin(), opened_.end(), [&](const Opened& o) {
      return peer != peers.end() && S_ISSOCK(o.st.st_mode) && o.st.st_ino == peer->second;
    });
    const bool waits = other != opened_.end() && description(*other).comeback == Comeback::listen;
    if (waits && has_sent(file.fd)) {
      c_.note(file.fd, "connection not accepted yet, with data: the program will see that it was reset", false);
    } else if (other != opened_.end()) {
      d.socket.pair = other->description;
      d.comeback = Comeback::contents;
    } else if (file.fd <= last_standard && d.socket.family == AF_UNIX) {
      d.comeback = Comeback::inherit;
      c_.note(file.fd, "socket to another process: that of who restores", false);
    } else {
      c_.note(file.fd, "connection to the outside: the program will see that it was reset", false);
    }
  }
}

void FileCapture::fill_epolls() {
  for (const Opened& file : opened_) {
    Description& d = description(file);
    if (d.kind != DescriptionKind::epoll || !d.epoll.empty()) continue;
    for (size_t at = file.info.find("tfd:"); at != std::string::npos; at = file.info.find("tfd:", at + 1)) {
      const std::string line = file.info.substr(at, file.info.find('\n', at) - at);
      const auto number = [&](std::string_view key, int base) {
        const size_t found = line.find(key);
        const size_t digits = found == std::string::npos ? found : line.find_first_not_of(' ', found + key.size());
        return digits == std::string::npos ? 0 : to_number(std::string_view(line).substr(digits), base);
      };
      EpollEntry entry;
      entry.fd = static_cast<int32_t>(number("tfd:", 10));
      entry.events = static_cast<uint32_t>(number("events:", 16));
      entry.data = static_cast<uint64_t>(number("data:", 16));
      const auto inode = static_cast<uint64_t>(number("ino:", 16));
      const auto match = std::find_if(opened_.begin(), opened_.end(),
                                      [&](const Opened& o) { return o.fd == entry.fd && o.st.st_ino == inode; });
      if (match == opened_.end()) {
        c_.note(file.fd, fmt::format("epoll waits for what was fd {} and is open under another number", entry.fd),
                true);
        continue;
      }
      entry.description = match->description;
      d.epoll.push_back(entry);
    }
  }
}

Result<void> FileCapture::run() {
  std::vector<int> fds = file::open_fds();
  std::sort(fds.begin(), fds.end());
  for (const int fd : fds)
    if (!file::is_core_fd(fd)) OSP_TRY(add(fd));
  OSP_TRY(connect_pipes());
  connect_pairs();
  fill_epolls();
  return {};
}

}  // namespace

Result<void> capture_files(Capture& capture) { return FileCapture(capture).run(); }

}  // namespace osp::migrate
