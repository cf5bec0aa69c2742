// Calls that name a file to open, look at or change: openat(2), stat(2), chmod(2), utimensat(2)…
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "libosp/file/proc.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/linux/path.h"
#include "libosp/linux/stat.h"

namespace osp::linux {
namespace {

constexpr uint64_t large_file = 0100000;

struct Found {
  pip::Attributes attributes;
  std::optional<std::string> host{};  // where the host has it
  int host_flags = AT_SYMLINK_NOFOLLOW;
  bool is_answered = false;  // by what was tried first: the rest is empty
};

// Tries to answer for a step at once; false: it takes a closer look.
using AtOnce = ns::FunctionRef<pip::Walked<bool>(const ns::Step&)>;

Result<Found> look_at_proc(const std::string& path) {
  OSP_ASSIGN(const file::ProcEntry entry, file::find_proc(path));
  return Found{.attributes = file::attributes_of(entry)};
}

Result<Found> look(PathArgument& path, bool follow, AtOnce at_once) {
  if (path.is_proc() && follow) path.follow_proc_links();
  if (path.is_proc()) return look_at_proc(path.text());
  Found found{};
  const auto operation = [&](const ns::Step& step) -> pip::Walked<void> {
    OSP_ASSIGN(found.is_answered, at_once(step));
    if (found.is_answered) return {};
    OSP_ASSIGN(found.attributes, ns::look_up(step));
    return {};
  };
  OSP_ASSIGN(const ns::Place place, ns::run(path.table(), path.request(follow), ns::Intent::use, operation));
  if (found.is_answered) return found;
  found.host = place.host_path();
  if (!found.host) return found;
  if (file::is_core_proc_file(*found.host)) return look_at_proc(*found.host);
  // A link that is still there is one that only the host can follow.
  if (follow && found.host->starts_with("/proc/")) found.host_flags = 0;
  return found;
}

// Of the program's memory; 0 where there is none.
template <class T>
T value_at(uint64_t address) {
  T value = {};
  return get(address, value) ? value : T{};
}

// What the host says in one call, where it alone decides: none of the names is a link.
template <class Host, class Mode>
pip::Walked<bool> stat_at_once(const ns::Step& step, Host host, Mode mode) {
  if (step.server.host_directory() == nullptr || !step.server.parents_are_plain(step.path)) return false;
  const std::string name = host_path_of(step);
  if (name.starts_with("/proc/")) return false;
  if (const long result = host(name, AT_SYMLINK_NOFOLLOW); result < 0)
    return std::unexpected(pip::WalkError(static_cast<int>(-result)));
  if (S_ISLNK(mode()) && (step.follow || step.directory)) return false;
  if (step.directory && !S_ISDIR(mode())) return std::unexpected(pip::WalkError(ENOTDIR));
  return true;
}

// stat in all its forms. `host` makes the host's call with a path of the host, `mode` tells what that found.
template <class Host, class Mode, class Put>
long stat_with(Call& c, int directory_fd, uint64_t address, uint64_t flags, Host host, Mode mode, Put put_result) {
  const bool empty_allowed = (flags & AT_EMPTY_PATH) != 0;
  PathArgument path(c, directory_fd, address);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward(c);
  if (path.empty()) {
    if (!empty_allowed) return -ENOENT;
    const file::Description* served = c.process.files->find(directory_fd);
    if (served == nullptr) return directory_fd == AT_FDCWD ? host(c.process.names->cwd(), 0) : forward(c);
    const auto attributes = const_cast<file::Description*>(served)->stat();
    return attributes ? put_result(*attributes) : -attributes.error().code;
  }
  const bool follow = (flags & AT_SYMLINK_NOFOLLOW) == 0;
  const auto at_once = [&](const ns::Step& step) { return stat_at_once(step, host, mode); };
  const auto found = look(path, follow, at_once);
  if (!found) return -found.error().code;
  if (found->is_answered) return 0;
  return found->host ? host(*found->host, found->host_flags) : put_result(found->attributes);
}

long stat_at(Call& c, int directory_fd, uint64_t address, uint64_t buffer, uint64_t flags) {
  return stat_with(
      c, directory_fd, address, flags,
      [&](const std::string& host, int host_flags) {
        return raw::syscall(SYS_newfstatat, AT_FDCWD, host.c_str(), buffer, host_flags);
      },
      [&] { return value_at<decltype(stat::st_mode)>(buffer + offsetof(struct stat, st_mode)); },
      [&](const pip::Attributes& a) { return put_stat(buffer, a); });
}

long access_at(Call& c, int directory_fd, uint64_t address, uint64_t wanted, uint64_t flags) {
  PathArgument path(c, directory_fd, address);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward(c);
  if (path.empty() && (flags & AT_EMPTY_PATH) != 0)
    if (file::Description* served = c.process.files->find(directory_fd)) {
      const auto attributes = served->stat();
      return attributes ? check_access(*attributes, wanted, (flags & AT_EACCESS) != 0) : -attributes.error().code;
    }
  const auto never = [](const ns::Step&) -> pip::Walked<bool> { return false; };
  const auto found = look(path, (flags & AT_SYMLINK_NOFOLLOW) == 0, never);
  if (!found) return -found.error().code;
  if (found->host)
    return raw::syscall(SYS_faccessat2, AT_FDCWD, found->host->c_str(), wanted,
                        (flags & AT_EACCESS) | static_cast<uint64_t>(found->host_flags));
  return check_access(found->attributes, wanted, (flags & AT_EACCESS) != 0);
}

// A change by name; the served part of it is `change`. An empty path means the fd itself.
long change_at(Call& c, int directory_fd, uint64_t address, const pip::AttributeChange& change, uint64_t flags) {
  if (file::Description* served = address == 0 ? c.process.files->find(directory_fd) : nullptr)
    return to_long(served->change(change));
  PathArgument path(c, directory_fd, address);
  if (path.error() != 0) return path.error();
  if (path.plain() || address == 0) return forward(c);
  if (path.empty() && (flags & AT_EMPTY_PATH) != 0) {
    file::Description* served = c.process.files->find(directory_fd);
    return served == nullptr ? forward(c) : to_long(served->change(change));
  }
  const bool follow = (flags & AT_SYMLINK_NOFOLLOW) == 0;
  if (follow) path.follow_proc_links();
  if (path.is_proc()) return -EPERM;
  const auto done = ns::change(path.table(), path.request(follow), change);
  return done ? 0 : -done.error().code;
}

pip::AttributeChange owner_change(uint64_t uid, uint64_t gid) {
  pip::AttributeChange change;
  change.has_uid = static_cast<int>(uid) != -1, change.uid = static_cast<uint32_t>(uid);
  change.has_gid = static_cast<int>(gid) != -1, change.gid = static_cast<uint32_t>(gid);
  return change;
}

pip::AttributeChange mode_change(uint64_t mode) {
  pip::AttributeChange change;
  change.has_mode = true, change.mode = static_cast<uint32_t>(mode) & 07777;
  return change;
}

pip::AttributeChange times_change(const timespec* times) {
  pip::AttributeChange change;
  const auto value = [&](size_t i) {
    return times == nullptr || times[i].tv_nsec == UTIME_NOW ? pip::AttributeChange::now : to_ns(times[i]);
  };
  change.has_atime = times == nullptr || times[0].tv_nsec != UTIME_OMIT;
  change.has_mtime = times == nullptr || times[1].tv_nsec != UTIME_OMIT;
  change.atime_ns = value(0), change.mtime_ns = value(1);
  return change;
}

long open_at(Call& c, int directory_fd, uint64_t address, uint64_t flags, uint64_t mode, uint64_t resolve) {
  PathArgument path(c, directory_fd, address);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward_blocking(c);
  return open_path(c, path, flags & ~large_file, static_cast<uint32_t>(mode), resolve);
}

}  // namespace

long sys_open(Call& c) { return open_at(c, AT_FDCWD, c.a, c.b, c.c, 0); }
long sys_creat(Call& c) { return open_at(c, AT_FDCWD, c.a, O_CREAT | O_WRONLY | O_TRUNC, c.b, 0); }
long sys_openat(Call& c) { return open_at(c, static_cast<int>(c.a), c.b, c.c, c.d, 0); }
long sys_openat2(Call& c) {
  open_how how = {};
  if (c.d < sizeof how) return -EINVAL;
  if (!get(c.c, how)) return -EFAULT;
  return open_at(c, static_cast<int>(c.a), c.b, how.flags, how.mode, how.resolve);
}

long sys_stat(Call& c) { return stat_at(c, AT_FDCWD, c.a, c.b, 0); }
long sys_lstat(Call& c) { return stat_at(c, AT_FDCWD, c.a, c.b, AT_SYMLINK_NOFOLLOW); }
long sys_newfstatat(Call& c) { return stat_at(c, static_cast<int>(c.a), c.b, c.c, c.d); }
long sys_statx(Call& c) {
  return stat_with(
      c, static_cast<int>(c.a), c.b, c.c,
      [&](const std::string& host, int host_flags) {
        const uint64_t at_flags = (c.c & ~uint64_t{AT_SYMLINK_NOFOLLOW}) | static_cast<uint64_t>(host_flags);
        return raw::syscall(SYS_statx, AT_FDCWD, host.c_str(), at_flags, c.d, c.e);
      },
      [&] { return value_at<decltype(statx::stx_mode)>(c.e + offsetof(struct statx, stx_mode)); },
      [&](const pip::Attributes& a) { return put_statx(c.e, a); });
}

long sys_access(Call& c) { return access_at(c, AT_FDCWD, c.a, c.b, 0); }
long sys_faccessat(Call& c) { return access_at(c, static_cast<int>(c.a), c.b, c.c, c.nr == SYS_faccessat2 ? c.d : 0); }

namespace {

// Links of /proc to what is open, mapped or run: the host tells its own names.
bool is_told_by_proc(const PathArgument& path) {
  const ns::Request request = path.request(false);
  const std::string_view where = request.path.starts_with('/') ? request.path : request.base;
  return where.starts_with("/proc/") || where.starts_with("/dev/fd/");
}

}  // namespace

long sys_readlinkat(Call& c) {
  const bool at = c.nr == SYS_readlinkat;
  const auto size = static_cast<int64_t>(at ? c.d : c.c);
  PathArgument path(c, at ? static_cast<int>(c.a) : AT_FDCWD, at ? c.b : c.a);
  if (path.error() != 0) return path.error();
  if (path.plain() || path.empty()) return forward(c);
  if (size <= 0) return -EINVAL;
  Result<std::string> target = fail(EINVAL);
  if (path.is_proc()) {
    const auto entry = file::find_proc(path.text());
    if (!entry) return -entry.error().code;
    if (entry->kind == file::ProcEntry::Kind::link) target = entry->contents;
  } else {
    target = ns::read_link(path.table(), path.request(false));
    if (target && is_told_by_proc(path)) target = c.process.names->name_of(std::move(*target));
  }
  if (!target) return -target.error().code;
  const size_t count = std::min<size_t>(target->size(), static_cast<size_t>(size));
  return osp_user_copy(Call::pointer<void>(at ? c.c : c.b), target->data(), count) == 0 ? static_cast<long>(count)
                                                                                        : -EFAULT;
}
long sys_readlink(Call& c) { return sys_readlinkat(c); }

long sys_chmod(Call& c) { return change_at(c, AT_FDCWD, c.a, mode_change(c.b), 0); }
long sys_fchmodat(Call& c) { return change_at(c, static_cast<int>(c.a), c.b, mode_change(c.c), 0); }
long sys_fchmodat2(Call& c) {
  if ((c.d & ~uint64_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  return change_at(c, static_cast<int>(c.a), c.b, mode_change(c.c), c.d);
}
long sys_chown(Call& c) { return change_at(c, AT_FDCWD, c.a, owner_change(c.b, c.c), 0); }
long sys_lchown(Call& c) { return change_at(c, AT_FDCWD, c.a, owner_change(c.b, c.c), AT_SYMLINK_NOFOLLOW); }
long sys_fchownat(Call& c) { return change_at(c, static_cast<int>(c.a), c.b, owner_change(c.c, c.d), c.e); }

long sys_truncate(Call& c) {
  if (static_cast<int64_t>(c.b) < 0) return -EINVAL;
  pip::AttributeChange change;
  change.has_size = true, change.size = c.b;
  return change_at(c, AT_FDCWD, c.a, change, 0);
}

long sys_utimensat(Call& c) {
  timespec times[2] = {};
  if (c.c != 0 && !get(c.c, times)) return -EFAULT;
  return change_at(c, static_cast<int>(c.a), c.b, times_change(c.c != 0 ? times : nullptr), c.d);
}

namespace {

// The older forms, with microseconds or seconds.
long change_times_us(Call& c, int directory_fd, uint64_t address, uint64_t at) {
  timeval old[2] = {};
  if (at != 0 && !get(at, old)) return -EFAULT;
  const timespec times[2] = {{old[0].tv_sec, old[0].tv_usec * 1000}, {old[1].tv_sec, old[1].tv_usec * 1000}};
  return change_at(c, directory_fd, address, times_change(at != 0 ? times : nullptr), 0);
}

}  // namespace

long sys_utimes(Call& c) { return change_times_us(c, AT_FDCWD, c.a, c.b); }
long sys_futimesat(Call& c) { return change_times_us(c, static_cast<int>(c.a), c.b, c.c); }
long sys_utime(Call& c) {
  int64_t old[2] = {};
  if (c.b != 0 && !get(c.b, old)) return -EFAULT;
  const timespec times[2] = {{old[0], 0}, {old[1], 0}};
  return change_at(c, AT_FDCWD, c.a, times_change(c.b != 0 ? times : nullptr), 0);
}

namespace {

long put_statfs(uint64_t address, const pip::FileSystemStat& s) {
  struct statfs out = {};
  out.f_type = static_cast<long>(s.type), out.f_bsize = static_cast<long>(s.block_size), out.f_blocks = s.blocks;
  out.f_bfree = s.free, out.f_bavail = s.available, out.f_files = s.files, out.f_ffree = s.files_free;
  out.f_namelen = static_cast<long>(s.name_max), out.f_frsize = out.f_bsize;
  return put(address, out) ? 0 : -EFAULT;
}

}  // namespace

long sys_statfs(Call& c) {
  PathArgument path(c, AT_FDCWD, c.a);
  if (path.error() != 0) return path.error();
  if (path.plain() || path.is_proc()) return forward(c);
  if (const auto host = host_path_of(path, true)) return raw::syscall(SYS_statfs, host->c_str(), c.b);
  const auto found = ns::statfs(path.table(), path.request(true));
  return found ? put_statfs(c.b, *found) : -found.error().code;
}

long sys_fstatfs(Call& c) {
  const file::Description* served = c.process.files->find(static_cast<int>(c.a));
  if (served == nullptr) return forward(c);
  ns::Request request;
  request.path = served->path();
  const auto found = ns::statfs(c.process.names->table(), request);
  return found ? put_statfs(c.b, *found) : -found.error().code;
}

}  // namespace osp::linux
