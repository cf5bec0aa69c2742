#include "pip/host_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "pip/host_file.h"

namespace osp::pip {
namespace {

template <class T = void>
Walked<T> walked(Result<T> result) {
  if (!result) return std::unexpected(WalkError(result.error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*result);
  }
}

int host_flags(const OpenMode& mode) {
  if (mode.path_only) return O_PATH | (mode.directory ? O_DIRECTORY : 0);
  int flags = mode.write ? (mode.read ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (mode.truncate) flags |= O_TRUNC;
  if (mode.append) flags |= O_APPEND;
  if (mode.directory) flags |= O_DIRECTORY;
  return flags;
}

bool changes(const OpenMode& mode) { return mode.write || mode.truncate || mode.create; }

WalkError of_second_path(WalkError error) {
  error.which = 1;
  return error;
}

bool is_special(uint32_t mode) { return S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode); }

std::string proc_path(const HostFd& fd) { return fmt::format("/proc/self/fd/{}", fd.get()); }

// Asks for the size and then for the value, again if it has grown between.
template <class Call>
Result<std::string> sized_value(Call&& call) {
  std::string value(1024, '\0');
  while (true) {
    const auto size = from_raw<size_t>(call(value.data(), value.size()));
    if (size) {
      value.resize(*size);
      return value;
    }
    if (size.error().code != ERANGE) return std::unexpected(size.error());
    value.resize(value.size() * 4);
  }
}

}  // namespace

Result<std::unique_ptr<HostTree>> HostTree::create(std::string directory, Options options) {
  OSP_ASSIGN(int fd,
             from_raw<int>(raw::syscall(SYS_openat, AT_FDCWD, directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
  if (options.keep != nullptr) fd = options.keep(fd);
  HostFd root(fd);
  struct statx s {};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &s)));
  const uint64_t device = makedev(s.stx_dev_major, s.stx_dev_minor);
  return std::unique_ptr<HostTree>(new HostTree(std::move(root), std::move(directory), device, std::move(options)));
}

Walked<void> HostTree::may_write() const {
  if (options_.read_only) return std::unexpected(WalkError(EROFS));
  return {};
}

// Opening a fifo waits for its other side, and a device may do anything.
Walked<void> HostTree::refuse_special(std::string_view path) {
  if (const auto attributes = stat(path); attributes && is_special(attributes->mode))
    return std::unexpected(WalkError(ENXIO));
  return {};
}

Walked<HostFd> HostTree::open_or_create(std::string_view path, const OpenMode& mode, bool& created) {
  const int flags = host_flags(mode);
  while (true) {
    if (!mode.exclusive || !mode.create) {
      auto there = walk_.open(path, flags);
      if (there || !mode.create || there.error().code != ENOENT) return there;
    }
    auto made = walk_.open(path, flags | O_CREAT | O_EXCL, mode.permissions & 07777U);
    created = made.has_value();
    if (made || mode.exclusive || made.error().code != EEXIST) return made;
  }
}

Walked<Opened> HostTree::open(std::string_view path, const OpenMode& mode) {
  if (options_.read_only && changes(mode)) {
    // O_CREAT of what is there already is no change.
    if (mode.write || mode.truncate || !stat(path)) return std::unexpected(WalkError(EROFS));
  }
  if (!options_.special_files && !mode.path_only) OSP_TRY(refuse_special(path));
  bool created = false;
  OSP_ASSIGN(HostFd fd, open_or_create(path, mode, created));
  const auto attributes = host_stat(fd.get(), "", root_device_);
  if (!attributes) return std::unexpected(WalkError(attributes.error()));
  if (mode.create && S_ISDIR(attributes->mode)) return std::unexpected(WalkError(EISDIR));
  if (options_.keep != nullptr) fd = HostFd(options_.keep(fd.release()));
  if (fd.get() < 0) return std::unexpected(WalkError(-fd.get()));
  return Opened{.file = std::make_unique<HostFile>(std::move(fd), root_device_, options_.drop),
                .attributes = *attributes,
                .created = created};
}

Walked<Attributes> HostTree::stat(std::string_view path) {
  if (!path.empty() && path != ".." && parents_are_plain(path))
    return walked(host_stat(root_.get(), std::string(path).c_str(), root_device_));
  OSP_ASSIGN(const HostFd fd, walk_.open(path, O_PATH));
  return walked(host_stat(fd.get(), "", root_device_));
}

bool HostTree::parents_are_plain(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return true;
  if (options_.moment == nullptr) return false;
  const std::string_view parent = path.substr(0, slash);
  const uint64_t moment = options_.moment();
  if (known_.has(parent, moment)) return true;
  if (!walk_.is_directory(parent)) return false;
  known_.add(parent, moment);
  return true;
}

Walked<Attributes> HostTree::follow(std::string_view path) {
  if (options_.follows_unnamed)
    if (const HostFd fd = walk_.open_unnamed(path); fd.get() >= 0) return walked(host_stat(fd.get(), "", root_device_));
  return Server::follow(path);
}

Walked<HostFd> HostTree::open_named(std::string_view path) {
  if (options_.follows_unnamed)
    if (HostFd fd = walk_.open_unnamed(path); fd.get() >= 0) return fd;
  return walk_.open(path, O_PATH);
}

Walked<void> HostTree::change(std::string_view path, const AttributeChange& change) {
  OSP_TRY(may_write());
  OSP_ASSIGN(const HostFd fd, open_named(path));
  return walked(host_change(fd.get(), change));
}

Walked<void> HostTree::make(std::string_view path, const NewFile& file) {
  OSP_TRY(may_write());
  OSP_ASSIGN(const HostParent at, walk_.parent(path));
  if (at.name.empty()) return std::unexpected(WalkError(EEXIST));
  const char* name = at.name.c_str();
  long done = 0;
  if (S_ISDIR(file.mode)) {
    done = raw::syscall(SYS_mkdirat, at.directory, name, file.mode & 07777U);
  } else if (S_ISLNK(file.mode)) {
    done = raw::syscall(SYS_symlinkat, file.target.c_str(), at.directory, name);
  } else {
    done = raw::syscall(SYS_mknodat, at.directory, name, file.mode, static_cast<unsigned>(file.device));
  }
  return walked(from_raw<void>(done));
}

Walked<void> HostTree::remove(std::string_view path, bool directory) {
  OSP_TRY(may_write());
  OSP_ASSIGN(const HostParent at, walk_.parent(path));
  if (at.name.empty()) return std::unexpected(WalkError(EBUSY));
  return walked(
      from_raw<void>(raw::syscall(SYS_unlinkat, at.directory, at.name.c_str(), directory ? AT_REMOVEDIR : 0)));
}

Walked<void> HostTree::rename(std::string_view from, std::string_view to, unsigned flags) {
  constexpr unsigned known = 1U | 2U;  // RENAME_NOREPLACE, RENAME_EXCHANGE
  OSP_TRY(may_write());
  if ((flags & ~known) != 0) return std::unexpected(WalkError(EINVAL));
  OSP_ASSIGN(const HostParent source, walk_.parent(from));
  const auto target = walk_.parent(to);
  if (!target) return std::unexpected(of_second_path(target.error()));
  if (source.name.empty() || target->name.empty()) return std::unexpected(WalkError(EBUSY));
  return walked(from_raw<void>(raw::syscall(SYS_renameat2, source.directory, source.name.c_str(), target->directory,
                                            target->name.c_str(), flags)));
}

Walked<void> HostTree::link(std::string_view from, std::string_view to) {
  OSP_TRY(may_write());
  OSP_ASSIGN(const HostParent source, walk_.parent(from));
  const auto target = walk_.parent(to);
  if (!target) return std::unexpected(of_second_path(target.error()));
  if (source.name.empty()) return std::unexpected(WalkError(EPERM));
  if (target->name.empty()) return std::unexpected(WalkError(EEXIST));
  return walked(from_raw<void>(
      raw::syscall(SYS_linkat, source.directory, source.name.c_str(), target->directory, target->name.c_str(), 0)));
}

Walked<std::string> HostTree::get_attribute(std::string_view path, std::string_view name) {
  OSP_ASSIGN(const HostFd fd, open_named(path));
  const std::string file = proc_path(fd);
  const std::string attribute(name);
  return walked(sized_value([&](char* value, size_t size) {
    return raw::syscall(SYS_getxattr, file.c_str(), attribute.c_str(), value, size);
  }));
}

Walked<void> HostTree::set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) {
  OSP_TRY(may_write());
  OSP_ASSIGN(const HostFd fd, open_named(path));
  return walked(from_raw<void>(
      raw::syscall(SYS_setxattr, proc_path(fd).c_str(), std::string(name).c_str(), value.data(), value.size(), flags)));
}

Walked<void> HostTree::remove_attribute(std::string_view path, std::string_view name) {
  OSP_TRY(may_write());
  OSP_ASSIGN(const HostFd fd, open_named(path));
  return walked(from_raw<void>(raw::syscall(SYS_removexattr, proc_path(fd).c_str(), std::string(name).c_str())));
}

Walked<std::vector<std::string>> HostTree::list_attributes(std::string_view path) {
  OSP_ASSIGN(const HostFd fd, open_named(path));
  const std::string file = proc_path(fd);
  auto list =
      sized_value([&](char* value, size_t size) { return raw::syscall(SYS_listxattr, file.c_str(), value, size); });
  if (!list) return std::unexpected(WalkError(list.error()));
  std::vector<std::string> names;
  for (std::string_view rest = *list; !rest.empty(); rest.remove_prefix(std::min(rest.size(), names.back().size() + 1)))
    names.emplace_back(rest.substr(0, rest.find('\0')));
  return names;
}

Result<FileSystemStat> HostTree::statfs() {
  struct statfs s {};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_fstatfs, root_.get(), &s)));
  return FileSystemStat{.type = static_cast<uint64_t>(s.f_type),
                        .block_size = static_cast<uint64_t>(s.f_bsize),
                        .blocks = s.f_blocks,
                        .free = s.f_bfree,
                        .available = s.f_bavail,
                        .files = s.f_files,
                        .files_free = s.f_ffree,
                        .name_max = static_cast<uint64_t>(s.f_namelen)};
}

}  // namespace osp::pip
