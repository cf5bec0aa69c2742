#include "libosp/linux/path.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libosp/device/fd_names.h"
#include "libosp/device/open.h"
#include "libosp/file/proc.h"
#include "libosp/file/served_file.h"
#include "libosp/host/side.h"

namespace osp::linux {
namespace {

constexpr int proc_links_max = 8;
constexpr uint64_t tmpfile_flag = __O_TMPFILE & ~O_DIRECTORY;

pip::OpenMode mode_of(const Call& c, uint64_t flags, uint32_t permissions) {
  pip::OpenMode mode;
  const uint64_t access = flags & O_ACCMODE;
  mode.path_only = (flags & O_PATH) != 0;
  mode.directory = (flags & O_DIRECTORY) != 0;
  if (mode.path_only) return mode;
  mode.read = access != O_WRONLY;
  mode.write = access != O_RDONLY;
  mode.truncate = (flags & O_TRUNC) != 0;
  mode.create = (flags & O_CREAT) != 0;
  mode.exclusive = mode.create && (flags & O_EXCL) != 0;
  mode.permissions = permissions & 07777 & ~c.process.umask;
  return mode;
}

pip::WalkError host_error(long result) {
  return pip::WalkError(task::is_restart(result) ? EINTR : static_cast<int>(-result));
}

// Opens a step that is the host's so that the program gets the host's own fd. The walk must not leave the
// name space through a link: the host is told to follow none, and reports are made for the resolver.
pip::Walked<void> open_on_host(const ns::Step& step, const std::string& path, uint64_t flags, uint32_t mode, long& fd) {
  open_how how = {};
  how.flags = flags | (step.directory ? uint64_t{O_DIRECTORY} : 0);
  if (!step.may_create) how.flags &= ~uint64_t{O_CREAT};
  how.mode = (how.flags & (O_CREAT | tmpfile_flag)) != 0 ? mode & 07777 : 0;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const bool writes = (flags & O_PATH) == 0 && ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)) != 0);
  if (step.read_only && writes) return std::unexpected(pip::WalkError(EROFS));
  fd = block_in_host(SYS_openat2, raw::arg(AT_FDCWD), raw::arg(path.c_str()), raw::arg(&how), sizeof how);
  if (fd >= 0) return {};
  if (fd != -ELOOP) return std::unexpected(host_error(fd));
  const auto looked = ns::look_up(step);
  if (!looked) return std::unexpected(looked.error());
  if (!step.follow || S_ISLNK(looked->mode)) return std::unexpected(pip::WalkError(ELOOP));
  fd = block_in_host(SYS_openat, raw::arg(AT_FDCWD), raw::arg(path.c_str()), flags & ~uint64_t{O_NOFOLLOW}, mode);
  return fd >= 0 ? pip::Walked<void>() : std::unexpected(host_error(fd));
}

// -EREMOTE: it is not the host's; a file of /proc that is the core's is named in `proc` then.
long open_host_place(Call& c, const ns::Request& request, uint64_t flags, uint32_t mode, std::string& proc) {
  long fd = 0;
  bool is_host = false;
  const auto intent = (flags & O_CREAT) != 0 ? ns::Intent::create : ns::Intent::use;
  const auto operation = [&](const ns::Step& step) -> pip::Walked<void> {
    is_host = step.server.host_directory() != nullptr;
    if (!is_host) return {};
    std::string path = host_path_of(step);
    if (!file::is_core_proc_file(path)) return open_on_host(step, path, flags, mode, fd);
    proc = std::move(path);
    return {};
  };
  const auto place = ns::run(c.process.names->table(), request, intent, operation);
  if (!place) return task::is_restart(fd) ? fd : -place.error().code;
  if (!is_host || !proc.empty()) return -EREMOTE;
  struct stat st = {};
  raw::syscall(SYS_fstat, fd, &st);
  if (!S_ISDIR(st.st_mode)) return fd;
  if (place->is_merged()) {
    raw::close(static_cast<int>(fd));
    return -EREMOTE;  // its listing is the name space's to make
  }
  c.process.files->remember_directory(static_cast<int>(fd), place->path());
  return fd;
}

// O_TMPFILE: a file that is made under a name of our own, and loses it before the program sees it.
Result<ns::OpenedPlace> open_unnamed(Call& c, const ns::Request& request, uint64_t flags, uint32_t permissions) {
  constexpr int attempts = 16;
  pip::OpenMode mode = mode_of(c, (flags & ~(tmpfile_flag | O_DIRECTORY)) | O_CREAT | O_EXCL, permissions);
  for (int i = 0; i < attempts; ++i) {
    uint64_t number = 0;
    raw::syscall(SYS_getrandom, &number, sizeof number, 0);
    const std::string path = fmt::format("{}/.osp-tmp-{:016x}", request.path, number);
    ns::Request inside = request;
    inside.path = path, inside.follow = true;
    auto opened = ns::open(c.process.names->table(), inside, mode);
    if (!opened && opened.error().code == EEXIST) continue;
    if (!opened) return opened;
    if (auto removed = ns::remove(c.process.names->table(), inside, false); !removed) return fail(removed.error().code);
    return opened;
  }
  return fail(EEXIST);
}

uint64_t access_wanted(uint64_t flags) {
  const uint64_t access = flags & O_ACCMODE;
  return access == O_RDONLY ? R_OK : access == O_WRONLY ? W_OK : R_OK | W_OK;
}

// Natively devices and fifos are the core's.
long open_own_node(Call& c, const ns::FoundPlace& found, uint64_t flags) {
  const device::Node node = {&found.place.server(), found.attributes, found.place.path()};
  std::shared_ptr<file::Description> file;
  const long result = device::open_node(c.thread, node, static_cast<int>(flags), file);
  return result != 0 ? result : c.process.files->install(std::move(file), (flags & O_CLOEXEC) != 0);
}

// What goes through a fifo is between processes here; a fifo of the host's stands for the server's.
long open_node(Call& c, const ns::Request& request, uint64_t flags) {
  const auto found = ns::stat(c.process.names->table(), request);
  if (!found) return -found.error().code;
  if (!host::is_native() && !S_ISFIFO(found->attributes.mode)) return -ENXIO;
  if (const long refused = check_access(found->attributes, access_wanted(flags), true); refused != 0) return refused;
  if (host::is_native()) return open_own_node(c, *found, flags);
  const auto fifo = found->place.server().fifo(found->attributes.id);
  if (!fifo) return -fifo.error().code;
  const std::string name = fmt::format("/proc/self/fd/{}", *fifo);
  const long fd = block_in_host(SYS_open, raw::arg(name.c_str()), flags & ~uint64_t{O_CREAT | O_NOFOLLOW | O_TRUNC});
  file::drop_fd(*fifo);
  return fd;
}

long open_served(Call& c, const ns::Request& request, uint64_t flags, uint32_t permissions) {
  pip::OpenMode mode = mode_of(c, flags, permissions);
  const bool unnamed = (flags & tmpfile_flag) != 0;
  auto opened =
      unnamed ? open_unnamed(c, request, flags, permissions) : ns::open(c.process.names->table(), request, mode);
  if (!opened && opened.error().code == EPERM && (flags & O_APPEND) != 0) {  // a file that only grows (chattr +a)
    mode.append = true;
    opened = ns::open(c.process.names->table(), request, mode);
  }
  if (!opened) return opened.error().code == ENXIO ? open_node(c, request, flags) : -opened.error().code;
  auto file = file::ServedFile::of(std::move(*opened));
  file->flags = static_cast<int>(flags & ~uint64_t{O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC});
  if (unnamed) file->flags &= ~O_DIRECTORY;
  return c.process.files->install(std::move(file), (flags & O_CLOEXEC) != 0);
}

long open_proc(Call& c, const std::string& path, uint64_t flags) {
  auto entry = file::find_proc(path);
  if (!entry) return -entry.error().code;
  if ((flags & O_ACCMODE) != O_RDONLY && entry->names_thread == 0) return -EACCES;
  if ((flags & O_DIRECTORY) != 0 && entry->kind != file::ProcEntry::Kind::directory) return -ENOTDIR;
  auto file = file::open_proc(std::move(*entry), path);
  file->flags = static_cast<int>(flags & ~uint64_t{O_CLOEXEC});
  return c.process.files->install(std::move(file), (flags & O_CLOEXEC) != 0);
}

constexpr uint64_t only_at_opening = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

// A file that still has its name is opened by it, and has an offset of its own then. Null: it cannot be.
std::shared_ptr<file::Description> open_by_name(Call& c, file::Description& file, uint64_t flags) {
  if (file.path().empty()) return nullptr;
  const ns::Request request = {.base = "/", .path = file.path()};
  auto opened = ns::open(c.process.names->table(), request, mode_of(c, flags & ~only_at_opening, 0));
  if (!opened) return nullptr;
  auto again = file::ServedFile::of(std::move(*opened));
  if (again->identity() != file.identity()) return nullptr;
  again->flags = static_cast<int>(flags & ~only_at_opening);
  return again;
}

// What is open, by its number. What cannot be opened anew is shared, its offset too.
long open_again(Call& c, int fd, uint64_t flags) {
  auto file = c.process.files->share(fd);
  if (file == nullptr) return -ENOENT;
  const auto now = file->stat();
  if ((flags & O_DIRECTORY) != 0 && now && !S_ISDIR(now->mode)) return -ENOTDIR;
  const uint64_t access = flags & O_ACCMODE;
  auto again = file->reopened(static_cast<int>(flags & ~only_at_opening));
  if (again == nullptr) again = open_by_name(c, *file, flags);
  if (again != nullptr && (flags & O_TRUNC) != 0 && again->is_writable()) again->truncate(0);
  if (again == nullptr) {
    if ((access != O_WRONLY && !file->is_readable()) || (access != O_RDONLY && !file->is_writable())) return -EACCES;
    again = std::move(file);
  }
  return c.process.files->install(std::move(again), (flags & O_CLOEXEC) != 0);
}

}  // namespace

long check_access(const pip::Attributes& a, uint64_t wanted, bool effective) {
  const task::Credentials who = task::credentials_of(task::process());
  const uid_t uid = effective ? who.euid : who.uid;
  const gid_t gid = effective ? who.egid : who.gid;
  if (uid == 0) return (wanted & X_OK) == 0 || S_ISDIR(a.mode) || (a.mode & 0111) != 0 ? 0 : -EACCES;
  const uint32_t shift = a.uid == uid ? 6 : (a.gid == gid ? 3 : 0);
  return (((a.mode >> shift) & 7) & wanted) == wanted ? 0 : -EACCES;
}

PathArgument::PathArgument(const Call& call, int directory_fd, uint64_t address) : call_(call) {
  file::Names& names = *call.process.names;
  Result<std::string> text = address == 0 ? Result<std::string>(std::string()) : get_string(address);
  if (!text) {
    error_ = -text.error().code;
    return;
  }
  const bool served_directory =
      !text->starts_with('/') && directory_fd != AT_FDCWD && call.process.files->find(directory_fd) != nullptr;
  const bool host_fd_itself = text->empty() && directory_fd != AT_FDCWD && !served_directory;
  plain_ = host_fd_itself || (!served_directory && names.is_plain(*text));
  if (plain_) {
    held_.path = std::move(*text);
    return;
  }
  proc_ = text->starts_with("/proc/") && file::is_core_proc(*text);
  const bool is_fd_itself = text->empty() && served_directory;
  auto held = names.hold(directory_fd, std::move(*text));
  if (held) {
    held_ = std::move(*held);
  } else if (!is_fd_itself) {  // which may be of a file without a name
    error_ = served_directory && held.error().code == EBADF ? -ENOTDIR : -held.error().code;
  }
}

void PathArgument::follow_proc_links() {
  for (int links = 0; proc_ && links < proc_links_max; ++links) {
    const auto entry = file::find_proc(held_.path);
    if (!entry || entry->kind != file::ProcEntry::Kind::link) return;
    held_.path = entry->contents;
    proc_ = file::is_core_proc(held_.path);
  }
}

long open_path(Call& c, PathArgument& path, uint64_t flags, uint32_t mode, uint64_t resolve) {
  if (host::is_native() && (flags & O_NOFOLLOW) == 0)
    if (const auto fd = device::fd_of_name(path.text(), c.process.pid)) return open_again(c, *fd, flags);
  if (path.is_proc() && (resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)) != 0)
    if (const auto entry = file::find_proc(path.text()); entry && entry->kind == file::ProcEntry::Kind::link)
      return -ELOOP;
  if (path.is_proc() && (flags & O_NOFOLLOW) == 0) path.follow_proc_links();
  if (path.is_proc()) return open_proc(c, path.text(), flags);
  const bool creates_new = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  const ns::Request request = path.request((flags & O_NOFOLLOW) == 0 && !creates_new, resolve);
  std::string proc;
  const long fd = open_host_place(c, request, flags, mode, proc);
  if (fd != -EREMOTE) return fd;
  return proc.empty() ? open_served(c, request, flags, mode) : open_proc(c, proc, flags);
}

std::string host_path_of(const ns::Step& step) {
  const std::string& directory = *step.server.host_directory();
  std::string path;
  path.reserve(directory.size() + 1 + step.path.size());
  path = directory;
  ns::append(path, step.path);
  return path;
}

Result<std::string> host_path_of(const PathArgument& path, bool follow) {
  if (path.plain()) return path.text();
  OSP_ASSIGN(const ns::Place place, ns::resolve(path.table(), path.request(follow), ns::Missing::allowed));
  const auto host = place.host_path();
  if (!host) return fail(ENODEV);
  return *host;
}

}  // namespace osp::linux
