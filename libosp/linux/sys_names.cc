// Calls that change names and directories: mkdir(2), unlink(2), rename(2), link(2), chdir(2)…
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/path.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/task/worker.h"

namespace osp::linux {
namespace {

int directory(uint64_t fd) { return static_cast<int>(fd); }

template <class T>
long done(const Result<T>& result) {
  return result ? 0 : -result.error().code;
}

long make_at(Call& c, int directory_fd, uint64_t address, pip::NewFile file) {
  PathArgument path(c, directory_fd, address);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward(c);
  if (!S_ISLNK(file.mode)) file.mode &= ~c.process.umask;
  return done(ns::make(path.table(), path.request(false), file));
}

long mkdir_at(Call& c, int fd, uint64_t address, uint64_t mode) {
  return make_at(c, fd, address, {S_IFDIR | (static_cast<uint32_t>(mode) & 07777), 0, {}});
}

long mknod_at(Call& c, int fd, uint64_t address, uint64_t mode, uint64_t device) {
  auto full = static_cast<uint32_t>(mode);
  if ((full & S_IFMT) == 0) full |= S_IFREG;
  return make_at(c, fd, address, {full, device, {}});
}

long symlink_at(Call& c, uint64_t target, int fd, uint64_t address) {
  auto text = get_string(target);
  if (!text) return -text.error().code;
  if (text->empty()) return -ENOENT;
  return make_at(c, fd, address, {S_IFLNK | 0777, 0, std::move(*text)});
}

long remove_at(Call& c, int fd, uint64_t address, bool is_directory) {
  PathArgument path(c, fd, address);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward(c);
  return done(ns::remove(path.table(), path.request(false), is_directory));
}

long rename_at(Call& c, int from_fd, uint64_t from, int to_fd, uint64_t to, uint64_t flags) {
  PathArgument old_path(c, from_fd, from), new_path(c, to_fd, to);
  if (old_path.error() != 0) return old_path.error();
  if (new_path.error() != 0) return new_path.error();
  if (old_path.plain() && new_path.plain()) return forward(c);
  return done(
      ns::rename(old_path.table(), old_path.request(false), new_path.request(false), static_cast<unsigned>(flags)));
}

long link_at(Call& c, int from_fd, uint64_t from, int to_fd, uint64_t to, uint64_t flags) {
  PathArgument old_path(c, from_fd, from), new_path(c, to_fd, to);
  if (old_path.error() != 0) return old_path.error();
  if (new_path.error() != 0) return new_path.error();
  if ((old_path.plain() && new_path.plain()) || old_path.empty()) return forward(c);
  return done(ns::link(old_path.table(), old_path.request((flags & AT_SYMLINK_FOLLOW) != 0), new_path.request(false)));
}

}  // namespace

long sys_mkdir(Call& c) { return mkdir_at(c, AT_FDCWD, c.a, c.b); }
long sys_mkdirat(Call& c) { return mkdir_at(c, directory(c.a), c.b, c.c); }
long sys_mknod(Call& c) { return mknod_at(c, AT_FDCWD, c.a, c.b, c.c); }
long sys_mknodat(Call& c) { return mknod_at(c, directory(c.a), c.b, c.c, c.d); }
long sys_symlink(Call& c) { return symlink_at(c, c.a, AT_FDCWD, c.b); }
long sys_symlinkat(Call& c) { return symlink_at(c, c.a, directory(c.b), c.c); }
long sys_rmdir(Call& c) { return remove_at(c, AT_FDCWD, c.a, true); }
long sys_unlink(Call& c) { return remove_at(c, AT_FDCWD, c.a, false); }
long sys_unlinkat(Call& c) {
  if ((c.c & ~uint64_t{AT_REMOVEDIR}) != 0) return -EINVAL;
  return remove_at(c, directory(c.a), c.b, (c.c & AT_REMOVEDIR) != 0);
}
long sys_rename(Call& c) { return rename_at(c, AT_FDCWD, c.a, AT_FDCWD, c.b, 0); }
long sys_renameat(Call& c) {
  return rename_at(c, directory(c.a), c.b, directory(c.c), c.d, c.nr == SYS_renameat2 ? c.e : 0);
}
long sys_link(Call& c) { return link_at(c, AT_FDCWD, c.a, AT_FDCWD, c.b, 0); }
long sys_linkat(Call& c) { return link_at(c, directory(c.a), c.b, directory(c.c), c.d, c.e); }

long sys_chdir(Call& c) {
  PathArgument path(c, AT_FDCWD, c.a);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward(c);
  if (path.is_proc()) path.follow_proc_links();
  return to_long(c.process.names->change_directory(path.request(true)));
}

long sys_fchdir(Call& c) {
  if (c.process.names->only_host() && c.process.files->find(static_cast<int>(c.a)) == nullptr) return forward(c);
  const auto held = c.process.names->hold(static_cast<int>(c.a), ".");
  if (!held) return raw::syscall(SYS_fcntl, c.a, F_GETFD) < 0 ? -EBADF : -held.error().code;
  return to_long(c.process.names->change_directory(held->request(true)));
}

long sys_getcwd(Call& c) {
  if (c.process.names->only_host()) return forward(c);
  std::string cwd = c.process.names->cwd();
  const std::string& root = c.process.names->root();
  if (!ns::stat(c.process.names->table(), {.base = cwd, .path = "."})) return -ENOENT;  // removed meanwhile
  if (root != "/") cwd = ns::is_within(cwd, root) ? "/" + std::string(ns::below(cwd, root)) : "(unreachable)" + cwd;
  if (c.b < cwd.size() + 1) return -ERANGE;
  return osp_user_copy(Call::pointer<void>(c.a), cwd.c_str(), cwd.size() + 1) == 0 ? static_cast<long>(cwd.size() + 1)
                                                                                   : -EFAULT;
}

long sys_chroot(Call& c) {
  PathArgument path(c, AT_FDCWD, c.a);
  if (path.error() != 0) return path.error();
  const auto found = ns::stat(c.process.names->table(),
                              path.plain() ? ns::Request{c.process.names->cwd(), path.text()} : path.request(true));
  if (!found) return -found.error().code;
  if (!S_ISDIR(found->attributes.mode)) return -ENOTDIR;
  if (const long refused = check_access(found->attributes, X_OK, true); refused != 0) return refused;
  if (task::credentials_of(c.process).euid != 0) return -EPERM;
  task::workers().stop_the_world();  // which look up names themselves (libosp/trap/fast.cc)
  c.process.patcher->leave();
  c.process.names->set_cwd(c.process.names->cwd());
  c.process.names->set_root(found->place.path());
  return 0;
}

long sys_umask(Call& c) {
  const uint32_t old = c.process.umask;
  c.process.umask = static_cast<uint32_t>(c.a) & 0777;
  raw::syscall(SYS_umask, c.process.umask);
  return old;
}

}  // namespace osp::linux
