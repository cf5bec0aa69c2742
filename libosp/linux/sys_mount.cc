// What the machine mounts, and what is kept there: mount(2), umount2(2), swapon(2), acct(2), quotactl(2)… The host
// decides who may; here only names are made the host's.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/quota.h>

#include "libosp/linux/calls.h"
#include "libosp/linux/path.h"

namespace osp::linux {
namespace {

// A path argument as the host has it. Keeps the text that the call is given the address of.
class HostName {
 public:
  HostName(const Call& c, int directory_fd, uint64_t address, bool follow) {
    PathArgument path(c, directory_fd, address);
    error_ = path.error();
    value_ = address;
    if (error_ != 0 || path.plain()) return;
    auto name = host_path_of(path, follow);
    if (!name) {
      error_ = -name.error().code;
      return;
    }
    text_ = std::move(*name);
    value_ = reinterpret_cast<uint64_t>(text_.c_str());
  }

  [[nodiscard]] long error() const { return error_; }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  std::string text_;
  uint64_t value_ = 0;
  long error_ = 0;
};

// The call with its first argument, a path, as the host has it.
long with_first_path(Call& c, bool follow) {
  const HostName name(c, AT_FDCWD, c.a, follow);
  return name.error() != 0 ? name.error() : raw::syscall(c.nr, name.value(), c.b, c.c, c.d, c.e);
}

// The call with a directory's fd and a path, its arguments 1 and 2.
long with_path_at(Call& c, bool follow) {
  const HostName name(c, static_cast<int>(c.a), c.b, follow);
  return name.error() != 0 ? name.error() : raw::syscall(c.nr, c.a, name.value(), c.c, c.d, c.e);
}

// Whether a source of mount(2) is the name of a file, and not a word for the file system.
bool names_source(const Call& c) {
  constexpr uint64_t not_looked_at = MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
  if (c.a == 0 || (c.d & not_looked_at) != 0) return false;
  char first = 0;
  return (c.d & (MS_BIND | MS_MOVE)) != 0 || (get(c.a, first) && first == '/');
}

}  // namespace

long sys_mount(Call& c) {
  const HostName target(c, AT_FDCWD, c.b, true);
  if (target.error() != 0) return target.error();
  if (!names_source(c)) return raw::syscall(SYS_mount, c.a, target.value(), c.c, c.d, c.e);
  const HostName source(c, AT_FDCWD, c.a, true);
  return source.error() != 0 ? source.error() : raw::syscall(SYS_mount, source.value(), target.value(), c.c, c.d, c.e);
}

long sys_umount2(Call& c) { return with_first_path(c, (c.b & UMOUNT_NOFOLLOW) == 0); }
long sys_swapon(Call& c) { return with_first_path(c, true); }
long sys_acct(Call& c) { return c.a == 0 ? forward(c) : with_first_path(c, true); }
long sys_open_tree(Call& c) { return with_path_at(c, (c.c & AT_SYMLINK_NOFOLLOW) == 0); }
long sys_fspick(Call& c) { return with_path_at(c, (c.c & FSPICK_SYMLINK_NOFOLLOW) == 0); }
long sys_mount_setattr(Call& c) { return with_path_at(c, (c.c & AT_SYMLINK_NOFOLLOW) == 0); }
long sys_file_attr(Call& c) { return with_path_at(c, (c.e & AT_SYMLINK_NOFOLLOW) == 0); }
long sys_name_to_handle_at(Call& c) { return with_path_at(c, (c.e & AT_SYMLINK_FOLLOW) != 0); }

long sys_fanotify_mark(Call& c) {
  constexpr uint64_t dont_follow = 4;  // FAN_MARK_DONT_FOLLOW
  if (c.e == 0) return forward(c);
  const HostName name(c, static_cast<int>(c.d), c.e, (c.b & dont_follow) == 0);
  return name.error() != 0 ? name.error() : raw::syscall(SYS_fanotify_mark, c.a, c.b, c.c, c.d, name.value());
}

long sys_move_mount(Call& c) {
  const HostName from(c, static_cast<int>(c.a), c.b, (c.e & MOVE_MOUNT_F_SYMLINKS) != 0);
  if (from.error() != 0) return from.error();
  const HostName to(c, static_cast<int>(c.c), c.d, (c.e & MOVE_MOUNT_T_SYMLINKS) != 0);
  return to.error() != 0 ? to.error() : raw::syscall(SYS_move_mount, c.a, from.value(), c.c, to.value(), c.e);
}

long sys_pivot_root(Call& c) {
  const HostName root(c, AT_FDCWD, c.a, true);
  if (root.error() != 0) return root.error();
  const HostName old(c, AT_FDCWD, c.b, true);
  return old.error() != 0 ? old.error() : raw::syscall(SYS_pivot_root, root.value(), old.value());
}

// The names of the block device, and of the file with the quota where Q_QUOTAON has one.
long sys_quotactl(Call& c) {
  if (c.b == 0) return forward(c);
  const HostName device(c, AT_FDCWD, c.b, true);
  if (device.error() != 0) return device.error();
  if ((static_cast<uint32_t>(c.a) >> SUBCMDSHIFT) != Q_QUOTAON || c.d == 0)
    return raw::syscall(SYS_quotactl, c.a, device.value(), c.c, c.d);
  const HostName file(c, AT_FDCWD, c.d, true);
  return file.error() != 0 ? file.error() : raw::syscall(SYS_quotactl, c.a, device.value(), c.c, file.value());
}

}  // namespace osp::linux
