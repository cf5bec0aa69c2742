#include "libosp/linux/path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "libosp/file/proc.h"
#include "libosp/file/served_file.h"

namespace osp::linux {
namespace {

constexpr int proc_links_max = 8;

pip::OpenMode mode_of(const Call& c, uint64_t flags, uint32_t permissions) {
  pip::OpenMode mode;
  const uint64_t access = flags & O_ACCMODE;
  mode.path_only = (flags & O_PATH) != 0;
  mode.directory = (flags & O_DIRECTORY) != 0;
  if (mode.path_only) return mode;
  mode.read = access != O_WRONLY;
  mode.write = access != O_RDONLY;
  mode.truncate = (flags & O_TRUNC) != 0;
  mode.append = (flags & O_APPEND) != 0;
  mode.create = (flags & O_CREAT) != 0;
  mode.exclusive = mode.create && (flags & O_EXCL) != 0;
  mode.permissions = permissions & 07777 & ~c.process.umask;
  return mode;
}

// Opens a step that is the host's so that the program gets the host's own fd. The walk must not leave the
// name space through a link: the host is told to follow none, and reports are made for the resolver.
pip::Walked<void> open_on_host(const ns::Step& step, uint64_t flags, uint32_t mode, long& fd) {
  std::string path = *step.server.host_directory();
  ns::append(path, step.path);
  open_how how = {};
  how.flags = flags | (step.directory ? uint64_t{O_DIRECTORY} : 0);
  if (!step.may_create) how.flags &= ~uint64_t{O_CREAT};
  how.mode = (how.flags & (O_CREAT | __O_TMPFILE)) != 0 ? mode & 07777 : 0;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const bool writes = (flags & O_PATH) == 0 && ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)) != 0);
  if (step.read_only && writes) return std::unexpected(pip::WalkError(EROFS));
  fd = block_in_host(SYS_openat2, raw::arg(AT_FDCWD), raw::arg(path.c_str()), raw::arg(&how), sizeof how);
  if (fd >= 0) return {};
  if (fd != -ELOOP) return std::unexpected(pip::WalkError(fd == task::restart_sys ? EINTR : static_cast<int>(-fd)));
  const auto looked = ns::look_up(step);
  return std::unexpected(looked ? pip::WalkError(ELOOP) : looked.error());
}

long open_host_place(Call& c, const ns::Request& request, uint64_t flags, uint32_t mode, bool& is_host) {
  long fd = 0;
  const auto intent = (flags & O_CREAT) != 0 ? ns::Intent::create : ns::Intent::use;
  std::string name;
  const auto operation = [&](const ns::Step& step) -> pip::Walked<void> {
    is_host = step.server.host_directory() != nullptr;
    if (!is_host) return std::unexpected(pip::WalkError(EREMOTE));
    name = step.name;
    return open_on_host(step, flags, mode, fd);
  };
  const auto place = ns::run(c.process.names->table(), request, intent, operation);
  if (!place) return -place.error().code;
  struct stat st = {};
  raw::syscall(SYS_fstat, fd, &st);
  if (!S_ISDIR(st.st_mode)) return fd;
  if (place->is_merged()) {
    raw::close(static_cast<int>(fd));
    is_host = false;  // its listing is the name space's to make
    return -EREMOTE;
  }
  c.process.files->remember_directory(static_cast<int>(fd), place->path());
  return fd;
}

long open_served(Call& c, const ns::Request& request, uint64_t flags, uint32_t permissions) {
  auto opened = ns::open(c.process.names->table(), request, mode_of(c, flags, permissions));
  if (!opened) return -opened.error().code;
  auto file = std::make_shared<file::ServedFile>(std::move(opened->opened.file));
  file->flags = static_cast<int>(flags & ~uint64_t{O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC});
  file->set_path(opened->place.path());
  return c.process.files->install(std::move(file), (flags & O_CLOEXEC) != 0);
}

long open_proc(Call& c, const PathArgument& path, uint64_t flags) {
  auto entry = file::find_proc(path.text());
  if (!entry) return -entry.error().code;
  if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
  if ((flags & O_DIRECTORY) != 0 && entry->kind != file::ProcEntry::Kind::directory) return -ENOTDIR;
  auto file = file::open_proc(std::move(*entry), path.text());
  file->flags = static_cast<int>(flags & ~uint64_t{O_CLOEXEC});
  return c.process.files->install(std::move(file), (flags & O_CLOEXEC) != 0);
}

}  // namespace

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
  auto held = names.hold(directory_fd, std::move(*text));
  if (held) {
    held_ = std::move(*held);
  } else {
    error_ = -held.error().code;
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
  if (path.is_proc() && (flags & O_NOFOLLOW) == 0) path.follow_proc_links();
  if (path.is_proc()) return open_proc(c, path, flags);
  const bool creates_new = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
  const ns::Request request = path.request((flags & O_NOFOLLOW) == 0 && !creates_new, resolve);
  bool is_host = false;
  const long fd = open_host_place(c, request, flags, mode, is_host);
  return is_host || fd != -EREMOTE ? fd : open_served(c, request, flags, mode);
}

Result<std::string> host_path_of(const PathArgument& path, bool follow) {
  if (path.plain()) return path.text();
  OSP_ASSIGN(const ns::Place place, ns::resolve(path.table(), path.request(follow), ns::Missing::allowed));
  const auto host = place.host_path();
  if (!host) return fail(ENODEV);
  return *host;
}

}  // namespace osp::linux
