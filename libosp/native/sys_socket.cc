// Sockets natively: unix(7). Others are not there yet: EAFNOSUPPORT.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "libosp/linux/path.h"
#include "libosp/native/calls.h"
#include "libosp/native/socket_call.h"
#include "libosp/task/credentials.h"

namespace osp::native {
namespace {

using device::UnixAddress;
using device::UnixSocket;

constexpr int type_mask = 0xf;

// 0, or minus an errno.
long check_kind(uint64_t domain, uint64_t type, uint64_t protocol, int& kind) {
  if ((type & ~uint64_t{type_mask | SOCK_CLOEXEC | SOCK_NONBLOCK}) != 0) return -EINVAL;
  if (domain != AF_UNIX) return -EAFNOSUPPORT;
  if (protocol != 0 && protocol != PF_UNIX) return -EPROTONOSUPPORT;
  kind = static_cast<int>(type) & type_mask;
  if (kind == SOCK_RAW) kind = SOCK_DGRAM;
  return kind == SOCK_STREAM || kind == SOCK_DGRAM || kind == SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

long install(Call& c, std::shared_ptr<UnixSocket> socket, uint64_t type) {
  return c.process.files->install(std::move(socket), (type & SOCK_CLOEXEC) != 0);
}

int open_flags(uint64_t type) { return (type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0; }

long bind_path(Call& c, const UnixAddress& name, const std::shared_ptr<UnixSocket>& socket) {
  const auto held = c.process.names->hold(AT_FDCWD, name.name);
  if (!held) return -held.error().code;
  const ns::Table table = c.process.names->table();
  const pip::NewFile file = {.mode = S_IFSOCK | (0777 & ~c.process.umask), .device = 0, .target = {}};
  const auto made = ns::make(table, held->request(false), file);
  if (!made) return made.error().code == EEXIST ? -EADDRINUSE : -made.error().code;
  const auto found = ns::stat(table, held->request(false));
  if (!found) return -found.error().code;
  device::unix_names().add(&found->place.server(), found->attributes.id, socket);
  socket->set_address(name);
  return 0;
}

}  // namespace

Result<std::shared_ptr<UnixSocket>> socket_of(const Call& c) {
  auto file = c.process.files->share(static_cast<int>(c.a));
  if (file == nullptr || file->is_name_only()) return fail(EBADF);
  auto socket = std::dynamic_pointer_cast<UnixSocket>(std::move(file));
  if (socket == nullptr) return fail(ENOTSOCK);
  return socket;
}

ucred caller(const Call& c) {
  const task::Credentials who = task::credentials_of(c.process);
  return {c.process.pid, who.euid, who.egid};
}

Result<UnixAddress> get_address(uint64_t address, uint64_t size) {
  std::byte bytes[sizeof(sockaddr_un)];
  if (size > sizeof bytes) return fail(EINVAL);
  if (osp_user_copy(bytes, Call::pointer<void>(address), size) != 0) return fail(EFAULT);
  return UnixAddress::parse({bytes, size});
}

long put_address(uint64_t address, uint64_t size_address, const UnixAddress& name) {
  if (address == 0) return 0;
  int room = 0;
  if (!linux::get(size_address, room)) return -EFAULT;
  if (room < 0) return -EINVAL;
  sockaddr_un out;
  const socklen_t size = name.format(out);
  const size_t part = std::min<size_t>(static_cast<size_t>(room), size);
  if (osp_user_copy(Call::pointer<void>(address), &out, part) != 0 || !linux::put(size_address, size)) return -EFAULT;
  return 0;
}

Result<std::shared_ptr<UnixSocket>> find_socket(const Call& c, const UnixAddress& name, int type) {
  std::shared_ptr<UnixSocket> socket;
  if (name.is_unnamed()) return fail(EINVAL);
  if (name.is_abstract()) {
    socket = device::unix_names().find(name);
  } else {
    OSP_ASSIGN(const auto held, c.process.names->hold(AT_FDCWD, name.name));
    OSP_ASSIGN(const auto found, ns::stat(c.process.names->table(), held.request(true)));
    if (linux::check_access(found.attributes, W_OK, true) != 0) return fail(EACCES);
    if (!S_ISSOCK(found.attributes.mode)) return fail(ECONNREFUSED);
    socket = device::unix_names().find(&found.place.server(), found.attributes.id);
  }
  if (socket == nullptr) return fail(ECONNREFUSED);
  if (socket->type() != type) return fail(EPROTOTYPE);
  return socket;
}

long sys_socket(Call& c) {
  int kind = 0;
  if (const long bad = check_kind(c.a, c.b, c.c, kind); bad != 0) return bad;
  return install(c, std::make_shared<UnixSocket>(kind, open_flags(c.b)), c.b);
}

long sys_socketpair(Call& c) {
  int kind = 0;
  if (const long bad = check_kind(c.a, c.b, c.c, kind); bad != 0) return bad;
  auto [one, other] = UnixSocket::pair(kind, open_flags(c.b), caller(c));
  const long first = install(c, std::move(one), c.b);
  if (first < 0) return first;
  const long second = install(c, std::move(other), c.b);
  const int fds[2] = {static_cast<int>(first), static_cast<int>(second)};
  if (second >= 0 && linux::put(c.d, fds)) return 0;
  c.process.files->close(fds[0]);
  if (second >= 0) c.process.files->close(fds[1]);
  return second < 0 ? second : -EFAULT;
}

long sys_bind(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  OSP_ASSIGN_OR_ERRNO(auto name, get_address(c.b, c.c));
  if (!socket->address().is_unnamed()) return -EINVAL;
  if (name.is_path()) return bind_path(c, name, socket);
  if (name.is_unnamed()) name = device::unix_names().unused();
  if (const auto added = device::unix_names().add(name, socket); !added) return -added.error().code;
  socket->set_address(std::move(name));
  return 0;
}

long sys_listen(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  return socket->listen(static_cast<int>(c.b), caller(c));
}

long sys_connect(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  sa_family_t family = 0;
  if (c.c < sizeof family) return -EINVAL;
  if (!linux::get(c.b, family)) return -EFAULT;
  if (family == AF_UNSPEC && socket->type() == SOCK_DGRAM) return socket->disconnect(), 0;
  OSP_ASSIGN_OR_ERRNO(const auto name, get_address(c.b, c.c));
  OSP_ASSIGN_OR_ERRNO(const auto to, find_socket(c, name, socket->type()));
  return socket->connect(c.thread, to, caller(c));
}

long sys_accept(Call& c) {
  const uint64_t flags = c.nr == SYS_accept4 ? c.d : 0;
  if ((flags & ~uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK}) != 0) return -EINVAL;
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  std::shared_ptr<UnixSocket> accepted;
  if (const long stop = socket->accept(c.thread, accepted); stop != 0) return stop;
  accepted->flags |= open_flags(flags);
  const UnixAddress peer = *accepted->peer_address();  // what waits there is connected
  const long fd = install(c, std::move(accepted), flags);
  if (fd < 0) return fd;
  const long put = put_address(c.b, c.c, peer);
  if (put != 0) c.process.files->close(static_cast<int>(fd));
  return put != 0 ? put : fd;
}

long sys_shutdown(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  return socket->shutdown(static_cast<int>(c.b));
}

long sys_getsockname(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  return put_address(c.b, c.c, socket->address());
}

long sys_getpeername(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  const UnixAddress* peer = socket->peer_address();
  return peer ? put_address(c.b, c.c, *peer) : -ENOTCONN;
}

}  // namespace osp::native
