// Calls that take a path.
#include "libosp/linux/calls.h"

namespace osp::linux {

long sys_open(Call& c) { return forward_blocking(c); }
long sys_stat(Call& c) { return forward_blocking(c); }
long sys_lstat(Call& c) { return forward_blocking(c); }
long sys_access(Call& c) { return forward_blocking(c); }
long sys_openat(Call& c) { return forward_blocking(c); }
long sys_newfstatat(Call& c) { return forward_blocking(c); }
long sys_statx(Call& c) { return forward_blocking(c); }
long sys_readlink(Call& c) { return forward_blocking(c); }
long sys_readlinkat(Call& c) { return forward_blocking(c); }
long sys_mkdir(Call& c) { return forward_blocking(c); }
long sys_mkdirat(Call& c) { return forward_blocking(c); }
long sys_rmdir(Call& c) { return forward_blocking(c); }
long sys_unlink(Call& c) { return forward_blocking(c); }
long sys_unlinkat(Call& c) { return forward_blocking(c); }
long sys_rename(Call& c) { return forward_blocking(c); }
long sys_renameat(Call& c) { return forward_blocking(c); }
long sys_link(Call& c) { return forward_blocking(c); }
long sys_linkat(Call& c) { return forward_blocking(c); }
long sys_symlink(Call& c) { return forward_blocking(c); }
long sys_symlinkat(Call& c) { return forward_blocking(c); }
long sys_chmod(Call& c) { return forward_blocking(c); }
long sys_fchmodat(Call& c) { return forward_blocking(c); }
long sys_chown(Call& c) { return forward_blocking(c); }
long sys_lchown(Call& c) { return forward_blocking(c); }
long sys_fchownat(Call& c) { return forward_blocking(c); }
long sys_chdir(Call& c) { return forward_blocking(c); }
long sys_fchdir(Call& c) { return forward_blocking(c); }
long sys_getcwd(Call& c) { return forward_blocking(c); }
long sys_truncate(Call& c) { return forward_blocking(c); }
long sys_utime(Call& c) { return forward_blocking(c); }
long sys_utimes(Call& c) { return forward_blocking(c); }
long sys_utimensat(Call& c) { return forward_blocking(c); }
long sys_futimesat(Call& c) { return forward_blocking(c); }
long sys_mknod(Call& c) { return forward_blocking(c); }
long sys_mknodat(Call& c) { return forward_blocking(c); }
long sys_statfs(Call& c) { return forward_blocking(c); }
long sys_fstatfs(Call& c) { return forward_blocking(c); }
long sys_faccessat(Call& c) { return forward_blocking(c); }
long sys_creat(Call& c) { return forward_blocking(c); }
long sys_umask(Call& c) { return forward_blocking(c); }
long sys_chroot(Call& c) { return forward_blocking(c); }
long sys_setxattr(Call& c) { return forward_blocking(c); }
long sys_fsetxattr(Call& c) { return forward_blocking(c); }
long sys_getxattr(Call& c) { return forward_blocking(c); }
long sys_fgetxattr(Call& c) { return forward_blocking(c); }
long sys_listxattr(Call& c) { return forward_blocking(c); }
long sys_flistxattr(Call& c) { return forward_blocking(c); }
long sys_removexattr(Call& c) { return forward_blocking(c); }
long sys_fremovexattr(Call& c) { return forward_blocking(c); }
long sys_inotify_add_watch(Call& c) { return forward_blocking(c); }
long sys_openat2(Call& c) { return forward_blocking(c); }
long sys_sendfile(Call& c) { return forward_blocking(c); }
long sys_splice(Call& c) { return forward_blocking(c); }
long sys_copy_file_range(Call& c) { return forward_blocking(c); }
long sys_bind(Call& c) { return forward_blocking(c); }

}  // namespace osp::linux
