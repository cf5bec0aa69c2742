// Extended attributes (xattr(7)), and calls that join two files or a name and a socket.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "libosp/file/files.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/path.h"

namespace osp::linux {
namespace {

constexpr size_t name_limit = 256, value_limit = 65536;
constexpr size_t copy_chunk = 128 * 1024;

bool follows(const Call& c) {
  return c.nr == SYS_setxattr || c.nr == SYS_getxattr || c.nr == SYS_listxattr || c.nr == SYS_removexattr;
}

long put_value(uint64_t address, uint64_t room, std::string_view value) {
  if (room == 0) return static_cast<long>(value.size());
  if (room < value.size()) return -ERANGE;
  return osp_user_copy(Call::pointer<void>(address), value.data(), value.size()) == 0 ? static_cast<long>(value.size())
                                                                                      : -EFAULT;
}

// The request for a file that an fd names; f…xattr of served files go by their path.
ns::Request by_path(const file::Description& file) {
  ns::Request request;
  request.path = file.path();
  return request;
}

long get_value(Call& c, const ns::Request& request) {
  const auto name = get_string(c.b, name_limit);
  if (!name) return -name.error().code;
  const auto value = ns::get_attribute(c.process.names->table(), request, *name);
  return value ? put_value(c.c, c.d, *value) : -value.error().code;
}

long set_value(Call& c, const ns::Request& request) {
  const auto name = get_string(c.b, name_limit);
  if (!name) return -name.error().code;
  if (c.d > value_limit) return -E2BIG;
  std::string value(c.d, '\0');
  if (osp_user_copy(value.data(), Call::pointer<void>(c.c), value.size()) != 0) return -EFAULT;
  return to_long(ns::set_attribute(c.process.names->table(), request, *name, value, static_cast<int>(c.e)));
}

long list_names(Call& c, const ns::Request& request) {
  const auto names = ns::list_attributes(c.process.names->table(), request);
  if (!names) return -names.error().code;
  std::string all;
  for (const std::string& name : *names) all.append(name.c_str(), name.size() + 1);
  return put_value(c.b, c.c, all);
}

long remove_value(Call& c, const ns::Request& request) {
  const auto name = get_string(c.b, name_limit);
  if (!name) return -name.error().code;
  return to_long(ns::remove_attribute(c.process.names->table(), request, *name));
}

long by_name(Call& c, long (*act)(Call&, const ns::Request&)) {
  PathArgument path(c, AT_FDCWD, c.a);
  if (path.error() != 0) return path.error();
  if (path.is_proc() && host::is_native()) return -EOPNOTSUPP;  // as Linux's proc(5) answers
  return path.plain() || path.is_proc() ? forward(c) : act(c, path.request(follows(c)));
}

struct ValueArguments {  // struct xattr_args
  uint64_t value;
  uint32_t size, flags;
};

// How setxattrat(2) and getxattrat(2) are told of the value; `size`: of what the program gave.
long get_arguments(uint64_t address, uint64_t size, ValueArguments& arguments) {
  if (size < sizeof arguments) return -EINVAL;
  if (size > memory::page_size) return -E2BIG;
  for (uint64_t at = sizeof arguments; at < size; ++at) {
    char rest = 0;
    if (!get(address + at, rest)) return -EFAULT;
    if (rest != 0) return -E2BIG;
  }
  return get(address, arguments) ? 0 : -EFAULT;
}

// The calls whose names end in "at" (xattr(7)): `older` has the arguments of the one without a directory.
long by_name_at(Call& c, Call older, long (*act)(Call&, const ns::Request&)) {
  if (host::is_native()) return -ENOSYS;
  if ((c.c & ~uint64_t{AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH}) != 0) return -EINVAL;
  const file::Description* served = c.process.files->find(static_cast<int>(c.a));
  char first = 0;
  const bool is_of_fd = (c.c & AT_EMPTY_PATH) != 0 && (c.b == 0 || (get(c.b, first) && first == '\0'));
  if (is_of_fd) return served == nullptr ? forward(c) : act(older, by_path(*served));
  PathArgument path(c, static_cast<int>(c.a), c.b);
  if (path.error() != 0) return path.error();
  const bool follow = (c.c & AT_SYMLINK_NOFOLLOW) == 0;
  return path.plain() || path.is_proc() ? forward(c) : act(older, path.request(follow));
}

long by_fd(Call& c, long (*act)(Call&, const ns::Request&)) {
  const file::Description* served = c.process.files->find(static_cast<int>(c.a));
  return served == nullptr ? forward(c) : act(c, by_path(*served));
}

}  // namespace

long sys_getxattr(Call& c) { return by_name(c, get_value); }
long sys_setxattr(Call& c) { return by_name(c, set_value); }
long sys_listxattr(Call& c) { return by_name(c, list_names); }
long sys_removexattr(Call& c) { return by_name(c, remove_value); }
long sys_fgetxattr(Call& c) { return by_fd(c, get_value); }
long sys_fsetxattr(Call& c) { return by_fd(c, set_value); }
long sys_flistxattr(Call& c) { return by_fd(c, list_names); }
long sys_fremovexattr(Call& c) { return by_fd(c, remove_value); }

long sys_getxattrat(Call& c) {
  ValueArguments value = {};
  if (const long error = get_arguments(c.e, c.f, value); error != 0) return error;
  if (value.flags != 0) return -EINVAL;
  return by_name_at(c, {c.thread, c.process, c.nr, 0, c.d, value.value, value.size, 0, 0}, get_value);
}

long sys_setxattrat(Call& c) {
  ValueArguments value = {};
  if (const long error = get_arguments(c.e, c.f, value); error != 0) return error;
  return by_name_at(c, {c.thread, c.process, c.nr, 0, c.d, value.value, value.size, value.flags, 0}, set_value);
}

long sys_listxattrat(Call& c) { return by_name_at(c, {c.thread, c.process, c.nr, 0, c.d, c.e, 0, 0, 0}, list_names); }

long sys_removexattrat(Call& c) { return by_name_at(c, {c.thread, c.process, c.nr, 0, c.d, 0, 0, 0, 0}, remove_value); }

long sys_inotify_add_watch(Call& c) {
  PathArgument path(c, AT_FDCWD, c.b);
  if (path.error() != 0) return path.error();
  if (path.plain()) return forward(c);
  const bool follow = (c.c & IN_DONT_FOLLOW) == 0;
  auto host = host_path_of(path, follow);
  if (!host && host.error().code == ENODEV) host = ns::watch(path.table(), path.request(follow));
  return host ? raw::syscall(SYS_inotify_add_watch, c.a, host->c_str(), c.c) : -host.error().code;
}

// A socket's name is a path of the name space too; where the host has it, the host makes it.
long with_host_address(Call& c, long (*act)(Call&)) {
  sockaddr_un address = {};
  const size_t size = std::min<size_t>(c.c, sizeof address);
  if (c.process.names->only_host() || size <= sizeof address.sun_family) return act(c);
  if (osp_user_copy(&address, Call::pointer<void>(c.b), size) != 0) return -EFAULT;
  if (address.sun_family != AF_UNIX || address.sun_path[0] == '\0') return act(c);
  const auto held = c.process.names->hold(AT_FDCWD, std::string(address.sun_path, strnlen(address.sun_path, size - 2)));
  if (!held) return -held.error().code;
  const auto place = ns::resolve(c.process.names->table(), held->request(true), ns::Missing::allowed);
  if (!place) return -place.error().code;
  const auto host = place->host_path();
  if (!host) return -EADDRNOTAVAIL;
  if (host->size() >= sizeof address.sun_path) return -ENAMETOOLONG;
  std::memcpy(address.sun_path, host->c_str(), host->size() + 1);
  Call changed = c;
  changed.b = reinterpret_cast<uint64_t>(&address);
  changed.c = offsetof(sockaddr_un, sun_path) + host->size() + 1;
  return act(changed);
}

long sys_bind(Call& c) { return with_host_address(c, forward); }

namespace {

// Moves bytes between two files of which the core serves at least one, through memory of the core.
class Mover {
 public:
  explicit Mover(Call& c) : call_(c), buffer_(copy_chunk) {}

  long run(int from, uint64_t from_offset, int to, uint64_t to_offset, size_t size) {
    size_t total = 0;
    while (total < size) {
      const size_t want = std::min(size - total, buffer_.size());
      const long got = read(from, from_offset, want, total);
      if (got <= 0) return total > 0 ? static_cast<long>(total) : got;
      const long put_count = write(to, to_offset, static_cast<size_t>(got), total);
      if (put_count < 0) return total > 0 ? static_cast<long>(total) : put_count;
      total += static_cast<size_t>(put_count);
      if (put_count < got) break;
    }
    return static_cast<long>(total);
  }

 private:
  static constexpr uint64_t own_offset = ~uint64_t{0};

  long read(int fd, uint64_t offset, size_t size, size_t done) {
    file::Description* served = call_.process.files->find(fd);
    void* to = buffer_.data();
    if (offset == own_offset) return served != nullptr ? served->read(call_.thread, to, size) : raw::read(fd, to, size);
    const auto at = static_cast<int64_t>(offset + done);
    return served != nullptr ? served->pread(call_.thread, to, size, at) : raw::syscall(SYS_pread64, fd, to, size, at);
  }
  long write(int fd, uint64_t offset, size_t size, size_t done) {
    file::Description* served = call_.process.files->find(fd);
    const void* from = buffer_.data();
    if (offset == own_offset)
      return served != nullptr ? served->write(call_.thread, from, size) : raw::write(fd, from, size);
    const auto at = static_cast<int64_t>(offset + done);
    return served != nullptr ? served->pwrite(call_.thread, from, size, at)
                             : raw::syscall(SYS_pwrite64, fd, from, size, at);
  }

  Call& call_;
  std::vector<std::byte> buffer_;
};

bool any_served(const Call& c, int one, int other) {
  return c.process.files->find(one) != nullptr || c.process.files->find(other) != nullptr;
}

// Linux refuses these calls a source that is read only in order (splice_direct_to_actor() in fs/splice.c), and programs
// fall back: cat(1) at a terminal would not see its end.
bool is_stream(const Call& c, int from) {
  file::Description* const source = c.process.files->find(from);
  return source != nullptr && source->changes() != nullptr;
}

// An offset argument by pointer: read, used, and written back.
long move_with_offsets(Call& c, int from, uint64_t from_at, int to, uint64_t to_at, size_t size) {
  uint64_t from_offset = ~uint64_t{0}, to_offset = ~uint64_t{0};
  if (from_at != 0 && !get(from_at, from_offset)) return -EFAULT;
  if (to_at != 0 && !get(to_at, to_offset)) return -EFAULT;
  const long moved = Mover(c).run(from, from_offset, to, to_offset, size);
  if (moved <= 0) return moved;
  if (from_at != 0 && !put(from_at, from_offset + static_cast<uint64_t>(moved))) return -EFAULT;
  if (to_at != 0 && !put(to_at, to_offset + static_cast<uint64_t>(moved))) return -EFAULT;
  return moved;
}

}  // namespace

long sys_sendfile(Call& c) {
  const auto to = static_cast<int>(c.a), from = static_cast<int>(c.b);
  if (!any_served(c, from, to)) return forward_blocking(c);
  if (is_stream(c, from)) return -EINVAL;
  const file::Description* const target = c.process.files->find(to);
  if (target != nullptr && (target->flags & O_APPEND) != 0) return -EINVAL;
  return move_with_offsets(c, from, c.c, to, 0, c.d);
}

long sys_copy_file_range(Call& c) {
  const auto from = static_cast<int>(c.a), to = static_cast<int>(c.c);
  if (!any_served(c, from, to)) return forward_blocking(c);
  if (is_stream(c, from)) return -EINVAL;
  return move_with_offsets(c, from, c.b, to, c.d, c.e);
}

long sys_splice(Call& c) {
  const int other = static_cast<int>(c.nr == SYS_tee ? c.b : c.c);
  return any_served(c, static_cast<int>(c.a), other) ? -EINVAL : forward_blocking(c);
}

}  // namespace osp::linux
