#include "pip/host_watch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>

#include "pip/access.h"

namespace osp::pip {
namespace {

constexpr uint32_t of_entries =
    IN_EXCL_UNLINK | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB;
constexpr uint32_t bcachefs_magic = 0xca451a4e, zfs_magic = 0x2fc12fc1;  // not in linux/magic.h
constexpr uint32_t of_itself = IN_MOVE_SELF | IN_DELETE_SELF;

// Calls `each` with the paths above `path`, the root not among them.
template <class Each>
void for_each_above(const std::string& path, Each&& each) {
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
    each(path.substr(0, slash));
}

// Whether inotify tells of all changes there, that is, whether they are all made through this kernel's files.
bool tells_all(int fd) {
  struct statfs s {};
  if (fstatfs(fd, &s) != 0) return false;
  switch (static_cast<uint32_t>(s.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case REISERFS_SUPER_MAGIC:
    case EROFS_SUPER_MAGIC_V1:
    case SQUASHFS_MAGIC:
    case ISOFS_SUPER_MAGIC:
    case bcachefs_magic:
    case zfs_magic:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<std::unique_ptr<HostWatch>> HostWatch::create(const std::string& directory) {
  HostFd root(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0) return fail(errno);
  HostFd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (inotify.get() < 0) return fail(errno);
  return std::unique_ptr<HostWatch>(new HostWatch(std::move(root), std::move(inotify)));
}

bool HostWatch::add(const std::string& path, bool is_own) {
  Watched& watched = watched_[path];
  const bool is_new = watched.wd < 0 || (is_own && watched.own == 0);
  ++(is_own ? watched.own : watched.below);
  if (!is_new) return true;
  const auto fd = walk_.open(path, O_PATH | O_DIRECTORY);
  if (!fd || (is_own && !tells_all(fd->get()))) return false;
  const uint32_t mask = IN_MASK_ADD | IN_ONLYDIR | of_itself | (is_own ? of_entries : 0);
  const int wd = inotify_add_watch(inotify_.get(), fmt::format("/proc/self/fd/{}", fd->get()).c_str(), mask);
  if (wd < 0) return false;
  watched.wd = wd;
  paths_[wd].insert(path);
  return true;
}

void HostWatch::remove(const std::string& path, bool is_own) {
  const auto found = watched_.find(path);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  --(is_own ? watched.own : watched.below);
  if (watched.own + watched.below > 0) return;
  forget_wd(watched.wd, path);
  watched_.erase(found);
}

bool HostWatch::watch(const std::string& path) {
  bool is_good = true;
  for_each_above(path, [&](const std::string& above) { is_good = add(above, false) && is_good; });
  is_good = add(path, true) && is_good;
  if (!is_good) unwatch(path);
  return is_good;
}

void HostWatch::unwatch(const std::string& path) {
  for_each_above(path, [&](const std::string& above) { remove(above, false); });
  remove(path, true);
}

void HostWatch::note(int wd, uint32_t mask, const char* name, std::vector<TreeChange>& changes) {
  if ((mask & IN_Q_OVERFLOW) != 0) changes.push_back({.directory = "", .is_whole = true});
  const auto paths = paths_.find(wd);
  if (paths == paths_.end()) return;
  const bool is_whole = (mask & (of_itself | IN_IGNORED | IN_UNMOUNT)) != 0;
  const std::set<std::string> here = paths->second;
  for (const std::string& path : here) {
    changes.push_back({.directory = path, .name = name, .is_whole = is_whole});
    if (is_whole) forget_below(path);
  }
}

// Another directory may have the name by now: it is watched when somebody asks again.
void HostWatch::forget_below(const std::string& path) {
  for (auto at = watched_.lower_bound(path); at != watched_.end() && at->first.starts_with(path); ++at) {
    if (!is_within(at->first, path) || at->second.wd < 0) continue;
    forget_wd(std::exchange(at->second.wd, -1), at->first);
  }
}

void HostWatch::forget_wd(int wd, const std::string& path) {
  const auto paths = paths_.find(wd);
  if (paths == paths_.end()) return;
  paths->second.erase(path);
  if (!paths->second.empty()) return;
  inotify_rm_watch(inotify_.get(), wd);
  paths_.erase(paths);
}

std::vector<TreeChange> HostWatch::take() {
  alignas(inotify_event) std::array<char, 65536> buffer;
  std::vector<TreeChange> changes;
  while (true) {
    const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return changes;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);  // as inotify(7) lays them out
      note(event->wd, event->mask, event->len > 0 ? event->name : "", changes);
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  }
}

}  // namespace osp::pip
