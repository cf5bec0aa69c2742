#pragma once

#include "migrate/manifest_base.h"

// The part of the manifest about open files: descriptions, what they lead to, and how each comes back.
namespace osp::migrate {

// What a MemoryObject is.
enum class ObjectKind : uint16_t {
  shared_anonymous,  // MAP_SHARED|MAP_ANONYMOUS, /dev/zero
  memfd,             // memfd_create(2)
  unlinked_file,     // contents of a file that has no name any more
  sysv,              // shmget(2)
  tree_contents,     // contents of a MemoryTree's files
};

// What an open file description leads to.
enum class DescriptionKind : uint16_t {
  file,  // regular file
  directory,
  path_only,  // O_PATH
  pipe,       // either end of a pipe or FIFO; flags tell which
  eventfd,
  timerfd,
  signalfd,
  epoll,
  socket,
  memfd,
  terminal,
  device,  // character device reopened by its path
  inotify,
  pidfd,
};

// How a description comes to life at a restore.
enum class Comeback : uint16_t {
  reopen,     // opened anew by server and path, identity compared
  contents,   // made anew; its whole state is in the manifest
  reconnect,  // a πp session resumes by its token
  listen,     // bound and listened on again
  reset,      // the program sees ECONNRESET
  inherit,    // taken from who restores (standard streams, terminal)
};

// What tells whether a reopened file is still the same one.
struct Identity {
  uint64_t version = 0;  // of a versioned server; 0: none
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  uint64_t device = 0;
  uint64_t inode = 0;

  friend bool operator==(const Identity&, const Identity&) = default;
};

// A file that areas or descriptions refer to by index.
struct FileRef {
  std::string server{};  // "#U", "pip://host/tree": pip::Server::name()
  std::string path{};    // on that server, whole
  std::string name{};    // as the program sees it, in its name space
  uint32_t mode = 0;     // st_mode
  Identity identity{};
  uint32_t contents = none;  // index of the MemoryObject that holds it, if it has no name any more

  friend bool operator==(const FileRef&, const FileRef&) = default;
};

// Memory that is not one process's: shared, memfd, contents of an unlinked file.
struct MemoryObject {
  uint32_t space = 0;  // the page space of its pages; unique, not 0
  ObjectKind kind = ObjectKind::shared_anonymous;
  std::string name{};
  uint64_t size = 0;   // bytes; the last page may be partly used
  uint32_t seals = 0;  // F_GET_SEALS
  uint32_t mode = 0;   // permission bits

  friend bool operator==(const MemoryObject&, const MemoryObject&) = default;
};

// What is in a pipe.
struct Pipe {
  uint32_t capacity = 65536;  // F_GETPIPE_SZ
  Bytes contents{};
  std::vector<uint32_t> packets{};  // sizes of the packets (O_DIRECT) in contents; empty: a stream

  friend bool operator==(const Pipe&, const Pipe&) = default;
};

struct EventFd {
  uint64_t value = 0;
  bool semaphore = false;

  friend bool operator==(const EventFd&, const EventFd&) = default;
};

struct TimerFd {
  int32_t clock = 0;
  uint32_t flags = 0;   // TFD_TIMER_*
  int64_t next_ns = 0;  // program time; 0: disarmed
  int64_t interval_ns = 0;
  uint64_t expirations = 0;  // not yet read

  friend bool operator==(const TimerFd&, const TimerFd&) = default;
};

struct EpollEntry {
  int32_t fd = 0;               // the number it was added as
  uint32_t description = none;  // index
  uint32_t events = 0;
  uint64_t data = 0;

  friend bool operator==(const EpollEntry&, const EpollEntry&) = default;
};

// setsockopt(2), as it was set.
struct SocketOption {
  int32_t level = 0;
  int32_t name = 0;
  Bytes value{};

  friend bool operator==(const SocketOption&, const SocketOption&) = default;
};

struct Socket {
  int32_t family = 0;
  int32_t type = 0;
  int32_t protocol = 0;
  Bytes local{};         // sockaddr bytes; empty: not bound
  Bytes peer{};          // sockaddr bytes; empty: not connected
  int32_t backlog = -1;  // -1: not listening
  std::vector<SocketOption> options{};
  uint32_t pair = none;             // the other end, if it is a description of this image
  Bytes received{};                 // not yet read
  std::vector<uint32_t> packets{};  // sizes of the datagrams in received; empty: a stream
  uint32_t shutdown = 0;            // 1: no more reads, 2: no more writes

  friend bool operator==(const Socket&, const Socket&) = default;
};

struct Terminal {
  Bytes termios{};  // struct termios2
  uint16_t rows = 0;
  uint16_t columns = 0;
  int32_t foreground = 0;  // virtual process group
  int32_t session = 0;     // virtual session, 0: nobody's controlling terminal

  friend bool operator==(const Terminal&, const Terminal&) = default;
};

// An inotify watch.
struct Watch {
  int32_t descriptor = 0;
  std::string path{};
  uint32_t mask = 0;

  friend bool operator==(const Watch&, const Watch&) = default;
};

// fcntl(2) or flock(2) lock held through a description.
struct Lock {
  uint16_t kind = 0;  // 0 POSIX, 1 OFD, 2 flock
  bool exclusive = false;
  uint64_t start = 0;
  uint64_t length = 0;  // 0: to the end
  int32_t pid = 0;      // virtual holder (POSIX)

  friend bool operator==(const Lock&, const Lock&) = default;
};

// An open file description (open(2)); fds of one or many processes refer to it by index.
struct Description {
  DescriptionKind kind = DescriptionKind::file;
  Comeback comeback = Comeback::reopen;
  uint32_t file = none;  // index of a FileRef
  uint32_t flags = 0;    // open flags as F_GETFL, with the access mode
  uint64_t offset = 0;
  int32_t owner = 0;   // F_GETOWN
  int32_t signal = 0;  // F_GETSIG
  std::vector<Lock> locks{};
  uint32_t pipe = none;     // index of a Pipe
  uint32_t object = none;   // index of a MemoryObject (memfd)
  uint32_t session = none;  // index of a πp Session
  EventFd event_fd{};
  TimerFd timer_fd{};
  uint64_t signal_mask = 0;  // signalfd
  std::vector<EpollEntry> epoll{};
  Socket socket{};
  Terminal terminal{};
  std::vector<Watch> watches{};
  int32_t pid = 0;  // pidfd: virtual pid

  friend bool operator==(const Description&, const Description&) = default;
};

// A πp session, which resumes by its token.
struct Session {
  std::string url{};
  Bytes token{};  // secret
  Bytes client_id{};

  friend bool operator==(const Session&, const Session&) = default;
};

struct TreeAttribute {
  std::string name{};
  Bytes value{};

  friend bool operator==(const TreeAttribute&, const TreeAttribute&) = default;
};

struct TreeName {
  std::string name{};
  uint64_t node = 0;  // id

  friend bool operator==(const TreeName&, const TreeName&) = default;
};

// A file of a memory tree, with or without a name.
struct TreeNode {
  uint64_t id = 0;    // what FileRef::identity.inode refers to
  uint32_t mode = 0;  // st_mode
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t device = 0;  // st_rdev
  uint64_t size = 0;    // of a regular file
  int64_t atime_ns = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  uint64_t version = 0;
  uint64_t at = 0;                          // where its contents lie in MemoryTree::contents
  std::string target{};                     // of a symbolic link
  std::vector<TreeAttribute> attributes{};  // xattr(7)
  std::vector<TreeName> names{};            // of a directory: what is in it

  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};

// A memory file system of the environment (#m): all of it.
struct MemoryTree {
  std::string server{};  // "#m.NAME", as in FileRef
  uint32_t uid = 0;      // whom it served
  uint32_t gid = 0;
  uint64_t next_id = 0;
  std::vector<TreeNode> nodes{};
  uint32_t contents = none;  // index of a MemoryObject; none: no file has any

  friend bool operator==(const MemoryTree&, const MemoryTree&) = default;
};

}  // namespace osp::migrate
