#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pip/range_locks.h"

// The one interface of everything that serves files: devices in the core implement it and are called
// directly; pip::Client implements it and speaks to a remote; pipd puts any Server on the network.
//
// Paths are whole: relative to the server's root, no leading slash, components separated by one '/',
// no "." and no ".." (the resolver in namespace/ has removed them); "" is the root. A server walks a
// path itself, in one step, and stops at the first symbolic link, which it reports (WalkError): links
// are read in the client's name space, not the server's.
namespace osp::pip {

// What stat(2) tells of a file. Times are nanoseconds since the epoch; sizes are bytes.
struct Attributes {
  uint64_t id = 0;    // the file's identity on this server (an inode number); stable, never reused while open
  uint32_t mode = 0;  // type and permission bits, as st_mode (inode(7))
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t links = 1;
  uint64_t device = 0;  // st_rdev of a device file
  uint64_t size = 0;
  uint64_t blocks = 0;  // of 512 bytes
  int64_t atime_ns = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  uint64_t version = 0;  // grows with each committed change of the contents
};

struct DirectoryEntry {
  std::string name;  // any bytes but '/' and NUL; "." and ".." are not listed
  Attributes attributes;
  std::string target;  // of a symbolic link, where the server sends it; else empty
};

struct FileSystemStat {  // statfs(2); blocks of `block_size` bytes
  uint64_t type = 0, block_size = 4096, blocks = 0, free = 0, available = 0, files = 0, files_free = 0;
  uint64_t name_max = 255;
};

// Only what is set is changed; as chmod, chown, truncate, utimensat together.
struct AttributeChange {
  static constexpr int64_t now = INT64_MIN;  // a time: the server's present
  bool has_mode = false, has_uid = false, has_gid = false, has_size = false, has_atime = false, has_mtime = false;
  uint32_t mode = 0, uid = 0, gid = 0;
  uint64_t size = 0;
  int64_t atime_ns = 0, mtime_ns = 0;
};

struct OpenMode {
  bool read = false, write = false;
  bool truncate = false;     // O_TRUNC
  bool append = false;       // every write goes to the end, atomically
  bool create = false;       // O_CREAT: make a regular file with `permissions` where there is none
  bool exclusive = false;    // O_EXCL: with create; EEXIST where there is one (a symbolic link too)
  bool directory = false;    // O_DIRECTORY: ENOTDIR for anything else
  bool path_only = false;    // O_PATH: no permission needed, no contents
  uint32_t permissions = 0;  // already without the umask
};

// Why a walk did not arrive. If `target` is not empty, code is ELOOP and the first `consumed` bytes of
// the path name a symbolic link with that target; the caller splices and asks again. Otherwise the
// error is final. Of an operation with two paths, `which` (0 or 1) says whose walk it was.
struct [[nodiscard]] WalkError {
  int code = 0;
  size_t consumed = 0;
  std::string target{};
  int which = 0;

  WalkError() = default;
  explicit WalkError(int errno_number) : code(errno_number) {}
  explicit WalkError(Error error) : code(error.code) {}
  static WalkError link(size_t consumed, std::string target, int which = 0) {
    WalkError error(ELOOP);
    error.consumed = consumed, error.target = std::move(target), error.which = which;
    return error;
  }
  [[nodiscard]] bool is_link() const { return !target.empty(); }
};

template <class T>
using Walked = std::expected<T, WalkError>;

// A range of a file as pages that can be mapped (through the page cache): map `fd` at `fd_offset`.
// The fd belongs to the File and stays valid until it is closed, or as long as somebody has `keep`.
struct PageRange {
  int fd = -1;  // natively a segment of the kernel's
  uint64_t fd_offset = 0;
  uint64_t size = 0;
  std::shared_ptr<const void> keep{};  // null: there is nothing but the File that keeps it
};

// Whether a lock may be taken as far as others than this environment are concerned; else what stands against it.
struct LockAnswer {
  bool is_granted = true;
  LockRange range{};
};

// An open file (a fid). Not thread-safe against itself being closed; otherwise calls may overlap.
// Every call may block the calling fiber or thread; none may be made from a signal handler.
class File {
 public:
  virtual ~File() = default;  // closes without a report of errors, where close() was not called

  // As pread(2), pwrite(2): short counts only at the end of the file or on ENOSPC. EBADF: not open so.
  virtual Result<size_t> read(uint64_t offset, std::span<std::byte> into) = 0;
  virtual Result<size_t> write(uint64_t offset, std::span<const std::byte> from) = 0;
  // Writes at the end, whether or not the file was opened for append; returns the offset behind what was written.
  virtual Result<uint64_t> append(std::span<const std::byte> from);

  // The entries from index `first` on, at most `count` and at least one unless at the end (then empty).
  // The order is stable while the File is open. ENOTDIR.
  virtual Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count);

  virtual Result<Attributes> stat() = 0;
  virtual Result<void> change(const AttributeChange& change);
  virtual Result<void> commit() { return {}; }  // fsync(2): what was written is durable, and the next version
  virtual Result<void> close() { return {}; }   // commits; reports a write error not yet reported. Once.
  virtual Result<PageRange> map(uint64_t offset, uint64_t size, bool writable);  // ENODEV where it cannot

  // Before one of this environment takes a lock on the pages' fd: asks the server, and does not wait for others. What
  // is granted is the environment's until it is seen not to be locked there, from lock_settled() on, which must follow
  // each granting answer once. ENOLCK, EACCES, ESTALE.
  virtual Result<LockAnswer> lock(LockKind, const LockRange&) { return LockAnswer{}; }
  virtual void lock_settled() {}
  virtual void lock_released() {}  // something there was unlocked
};

struct Opened {
  std::unique_ptr<File> file;
  Attributes attributes;
  bool created = false;
};

// What a directory entry is made as: regular, directory, symlink (with target), device, fifo, socket.
struct NewFile {
  uint32_t mode = 0;  // type and permissions (S_IFDIR | 0755), already without the umask
  uint64_t device = 0;
  std::string target{};
};

class Server {
 public:
  virtual ~Server() = default;

  // Opens the file at `path`, or makes it (mode.create). A final symbolic link is reported as a link,
  // except with create+exclusive (EEXIST) and path_only (opens the link itself).
  // ENOENT ENOTDIR EISDIR EACCES EEXIST ENXIO EROFS ENOSPC EIO.
  virtual Walked<Opened> open(std::string_view path, const OpenMode& mode) = 0;

  // As lstat(2): a final symbolic link is described, not reported.
  virtual Walked<Attributes> stat(std::string_view path) = 0;
  // As readlink(2). EINVAL: not a link.
  virtual Walked<std::string> read_link(std::string_view path) = 0;
  // What the symbolic link at `path` leads to, where only this server can follow it (as links of proc(5) to files that
  // have no name). All others are reported as links.
  virtual Walked<Attributes> follow(std::string_view path);

  // A final link of the path is acted on itself (chmod of a link: EOPNOTSUPP).
  virtual Walked<void> change(std::string_view path, const AttributeChange& change) = 0;
  virtual Walked<void> make(std::string_view path, const NewFile& file) = 0;
  // unlink(2), or with `directory` rmdir(2).
  virtual Walked<void> remove(std::string_view path, bool directory) = 0;
  // renameat2(2) within the server; flags RENAME_NOREPLACE, RENAME_EXCHANGE or EINVAL.
  virtual Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) = 0;
  virtual Walked<void> link(std::string_view from, std::string_view to) = 0;

  // Attributes by name: "user.*", "security.*" as xattr(7), and the server's own. ENODATA, EOPNOTSUPP.
  virtual Walked<std::string> get_attribute(std::string_view path, std::string_view name);
  virtual Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags);
  virtual Walked<void> remove_attribute(std::string_view path, std::string_view name);
  virtual Walked<std::vector<std::string>> list_attributes(std::string_view path);

  // A host's fifo (O_PATH; the caller's) that stands for the fifo `id` of this server among the processes here, since
  // what is written to a fifo never leaves the machine. ENXIO: there is none.
  virtual Result<int> fifo(uint64_t id);

  // A path of the host whose inotify(7) events stand for those of the file at `path` (not of what a final link leads
  // to), as long as this environment lives. EOPNOTSUPP: there is none.
  virtual Walked<std::string> watch(std::string_view path);

  virtual Result<FileSystemStat> statfs() = 0;

  // Where this server is a plain directory of the host: that directory's absolute path ("/" for all of
  // it), so that the core may hand calls straight to the host. Null for every other server.
  [[nodiscard]] virtual const std::string* host_directory() const { return nullptr; }
  // Of such a server: whether no name of `path` but the last can be a link, so that the host may walk it. False also
  // where that is not known.
  virtual bool parents_are_plain(std::string_view path);
  // What checkpoints and `osp image show` print: "#U", "#m", "pip://host:port/tree".
  [[nodiscard]] virtual std::string name() const = 0;
};

}  // namespace osp::pip
