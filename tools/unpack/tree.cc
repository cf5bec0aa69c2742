#include "tools/unpack/tree.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace osp::unpack {
namespace {

constexpr mode_t permissions = 07777, set_id = S_ISUID | S_ISGID;

std::unexpected<std::string> failed(std::string_view path, int error) {
  const char* remedy = error == ENOSPC || error == EDQUOT ? "; make room there, or set XDG_CACHE_HOME" : "";
  return wrong(fmt::format("member '{}': {}{}", path, strerror(error), remedy));
}

void times_of(archive_entry* entry, timespec (&times)[2]) {
  times[0] = times[1] = {.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)};
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

Tree::Tree(int root) : root_(root), gives_owners_(geteuid() == 0) { umask(0); }

mode_t Tree::mode_of(archive_entry* entry) const {
  const mode_t mode = archive_entry_mode(entry) & permissions;
  return gives_owners_ ? mode : mode & ~set_id;
}

void Tree::own(const Place& at, archive_entry* entry) const {
  if (!gives_owners_) return;
  const auto uid = static_cast<uid_t>(archive_entry_uid(entry));
  const auto gid = static_cast<gid_t>(archive_entry_gid(entry));
  // Not where even root may not: in a container without the right.
  [[maybe_unused]] const int done = fchownat(at.parent, at.name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW);
}

Outcome<Fd> Tree::open_directory(const std::string& path) {
  Fd fd = open_within(root_, path, O_PATH | O_DIRECTORY);
  if (fd.valid()) return fd;
  if (errno != ENOENT || path.empty()) return failed(path, errno);
  const auto above = open_directory(parent_of(path));
  if (!above) return wrong(above.error());
  const std::string name = path.substr(path.rfind('/') + 1);
  if (mkdirat(above->get(), name.c_str(), 0755) != 0 && errno != EEXIST) return failed(path, errno);
  fd = open_within(root_, path, O_PATH | O_DIRECTORY);
  if (!fd.valid())
    return wrong(fmt::format("'{}' is a link that leads nowhere, and members are to lie below it", path));
  return fd;
}

Outcome<Tree::Place> Tree::place_of(const std::string& path) {
  std::string above = parent_of(path);
  if (!parent_.valid() || above != parent_path_) {
    auto opened = open_directory(above);
    if (!opened) return wrong(opened.error());
    parent_ = std::move(*opened);
    parent_path_ = std::move(above);
  }
  return Place{parent_.get(), path.substr(path.rfind('/') + 1)};
}

void Tree::forget_below(const std::string& path) {
  parent_ = Fd();
  const std::string below = path + "/";
  directories_.erase(path);
  for (auto at = directories_.lower_bound(below); at != directories_.end() && at->first.starts_with(below);)
    at = directories_.erase(at);
}

Outcome<void> Tree::replace(const Place& at, const std::string& path) {
  struct stat status = {};
  if (fstatat(at.parent, at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!S_ISDIR(status.st_mode) && !S_ISLNK(status.st_mode))
    return unlinkat(at.parent, at.name.c_str(), 0) == 0 ? Outcome<void>() : failed(path, errno);
  const Fd parent(dup(at.parent));
  forget_below(path);
  if (auto removed = remove_all(parent.get(), at.name); !removed)
    return wrong(fmt::format("'{}': {}", path, removed.error()));
  return {};
}

Outcome<void> Tree::remove(const std::string& path) {
  const Fd above = open_within(root_, parent_of(path), O_PATH | O_DIRECTORY);
  if (!above.valid()) return errno == ENOENT || errno == ENOTDIR ? Outcome<void>() : failed(path, errno);
  return replace(Place{above.get(), path.substr(path.rfind('/') + 1)}, path);
}

Outcome<void> Tree::empty(const std::string& path) {
  const Fd directory = open_within(root_, path, O_PATH | O_DIRECTORY);
  if (!directory.valid()) return errno == ENOENT || errno == ENOTDIR ? Outcome<void>() : failed(path, errno);
  const auto names = names_in(directory.get());
  if (!names) return wrong(fmt::format("'{}': {}", path, names.error()));
  for (const std::string& name : *names)
    OSP_CHECK(replace(Place{directory.get(), name}, path.empty() ? name : path + "/" + name));
  return {};
}

Outcome<void> Tree::make_directory(const std::string& path) {
  if (auto made = open_directory(path); !made) return wrong(made.error());
  return {};
}

Outcome<void> Tree::put_directory(archive_entry* entry, const std::string& path, const Place& at) {
  DirectoryEnd& end = directories_[path];
  end.mode = mode_of(entry);
  times_of(entry, end.times);
  if (path.empty()) return {};
  struct stat status = {};
  const bool there = fstatat(at.parent, at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && !S_ISDIR(status.st_mode)) {
    const DirectoryEnd kept = end;
    OSP_CHECK(replace(at, path));
    directories_[path] = kept;
    return put_directory(entry, path, *place_of(path));
  }
  if (!there && mkdirat(at.parent, at.name.c_str(), S_IRWXU) != 0) return failed(path, errno);
  own(at, entry);
  return {};
}

Outcome<void> Tree::put_link(archive_entry* entry, const std::string& path) {
  const auto target = clean_name(archive_entry_hardlink(entry));
  if (!target) return wrong(fmt::format("'{}' is a link: {}", path, target.error()));
  const Fd from = open_within(root_, parent_of(*target), O_PATH | O_DIRECTORY);
  const std::string name = target->substr(target->rfind('/') + 1);
  struct stat old = {}, status = {};
  if (!from.valid() || fstatat(from.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0)
    return wrong(fmt::format("member '{}' is a link to '{}', which is not there", path, *target));
  if (S_ISDIR(old.st_mode)) return wrong(fmt::format("member '{}' is a hard link to a directory, '{}'", path, *target));
  auto at = place_of(path);
  if (!at) return wrong(at.error());
  const bool there = fstatat(at->parent, at->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && status.st_dev == old.st_dev && status.st_ino == old.st_ino) return {};
  OSP_CHECK(replace(*at, path));
  at = place_of(path);
  if (!at) return wrong(at.error());
  if (linkat(from.get(), name.c_str(), at->parent, at->name.c_str(), 0) != 0) return failed(path, errno);
  return {};
}

Outcome<void> Tree::put_file(Archive& archive, archive_entry* entry, const Place& at) {
  const Fd fd(openat(at.parent, at.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return failed(archive_entry_pathname(entry), errno);
  OSP_CHECK(archive.copy_to(fd.get()));
  own(at, entry);
  timespec times[2];
  times_of(entry, times);
  if (fchmod(fd.get(), mode_of(entry)) != 0 || futimens(fd.get(), times) != 0)
    return failed(archive_entry_pathname(entry), errno);
  return {};
}

Outcome<void> Tree::put_symlink(archive_entry* entry, const Place& at) {
  const char* target = archive_entry_symlink(entry);
  if (target == nullptr || symlinkat(target, at.parent, at.name.c_str()) != 0)
    return failed(archive_entry_pathname(entry), target == nullptr ? EINVAL : errno);
  own(at, entry);
  timespec times[2];
  times_of(entry, times);
  utimensat(at.parent, at.name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  return {};
}

Outcome<void> Tree::put_fifo(archive_entry* entry, const Place& at) {
  if (mkfifoat(at.parent, at.name.c_str(), mode_of(entry)) != 0) return failed(archive_entry_pathname(entry), errno);
  own(at, entry);
  return {};
}

Outcome<void> Tree::put(Archive& archive, archive_entry* entry, const std::string& path) {
  if (archive_entry_hardlink(entry) != nullptr) return put_link(entry, path);
  const mode_t type = archive_entry_filetype(entry);
  if (type != AE_IFREG && type != AE_IFLNK && type != AE_IFDIR && type != AE_IFIFO) return {};
  if (path.empty() && type != AE_IFDIR) return wrong("member '.' is the root, and no directory");
  Outcome<Place> at = path.empty() ? Place{root_, "."} : place_of(path);
  if (!at) return wrong(at.error());
  if (type == AE_IFDIR) return put_directory(entry, path, *at);
  OSP_CHECK(replace(*at, path));
  at = place_of(path);
  if (!at) return wrong(at.error());
  if (type == AE_IFREG) return put_file(archive, entry, *at);
  return type == AE_IFLNK ? put_symlink(entry, *at) : put_fifo(entry, *at);
}

Outcome<void> Tree::finish() {
  parent_ = Fd();
  for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
    const Fd fd = open_within(root_, at->first, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!fd.valid()) continue;  // something else has taken its place
    if (fchmod(fd.get(), at->second.mode) != 0 || futimens(fd.get(), at->second.times) != 0)
      return failed(at->first, errno);
  }
  return {};
}

}  // namespace osp::unpack
