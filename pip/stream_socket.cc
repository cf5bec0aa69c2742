#include "pip/stream_socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>

namespace osp::pip {
namespace {

constexpr int backlog = 128;

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  return address;
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// Waits for a connect(2) under way.
Result<void> finish_connect(int fd, int timeout_ms) {
  pollfd poll_fd{.fd = fd, .events = POLLOUT, .revents = 0};
  if (poll(&poll_fd, 1, timeout_ms) == 0) return fail(ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? Result<void>{} : fail(error);
}

Result<HostFd> connect_one(int family, const sockaddr* address, socklen_t size, int timeout_ms) {
  HostFd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return fail(errno);
  if (connect(fd.get(), address, size) != 0) {
    if (errno != EINPROGRESS) return fail(errno);
    OSP_TRY(finish_connect(fd.get(), timeout_ms));
  }
  if (family != AF_UNIX) no_delay(fd.get());
  return fd;
}

Result<HostFd> listen_unix(const std::string& path) {
  OSP_ASSIGN(const sockaddr_un address, unix_address(path));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);  // as bind(2) wants it
  HostFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return fail(errno);
  // Left by one that was killed: nobody answers.
  if (const auto other = connect_one(AF_UNIX, generic, sizeof address, 1000); other) return fail(EADDRINUSE);
  unlink(path.c_str());
  if (bind(fd.get(), generic, sizeof address) != 0 || listen(fd.get(), backlog) != 0) return fail(errno);
  return fd;
}

}  // namespace

Result<AddressList> resolve(const Address& address, int type, int flags) {
  addrinfo hints{};
  hints.ai_socktype = type;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const std::string port = fmt::format("{}", address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &list) != 0) return fail(EHOSTUNREACH);
  return AddressList(list, freeaddrinfo);
}

uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);  // as getsockname(2) wants it
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
  return ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

Result<HostFd> connect_stream(const Address& address, int timeout_ms) {
  if (!address.unix_path.empty()) {
    OSP_ASSIGN(const sockaddr_un name, unix_address(address.unix_path));
    return connect_one(AF_UNIX, reinterpret_cast<const sockaddr*>(&name), sizeof name, timeout_ms);
  }
  OSP_ASSIGN(const AddressList list, resolve(address, SOCK_STREAM, 0));
  Result<HostFd> result = fail(EHOSTUNREACH);
  for (const addrinfo* one = list.get(); one != nullptr && !result; one = one->ai_next)
    result = connect_one(one->ai_family, one->ai_addr, one->ai_addrlen, timeout_ms);
  return result;
}

Result<HostFd> listen_stream(Address& address) {
  if (!address.unix_path.empty()) return listen_unix(address.unix_path);
  OSP_ASSIGN(const AddressList list, resolve(address, SOCK_STREAM, AI_PASSIVE));
  HostFd fd(socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return fail(errno);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd.get(), list->ai_addr, list->ai_addrlen) != 0 || listen(fd.get(), backlog) != 0) return fail(errno);
  address.port = bound_port(fd.get());
  return fd;
}

Result<HostFd> accept_stream(int listener) {
  HostFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (fd.get() < 0) return fail(errno);
  no_delay(fd.get());
  return fd;
}

bool is_own_user(int fd) {
  int domain = 0;
  ucred who = {};
  socklen_t domain_size = sizeof domain, who_size = sizeof who;
  const bool is_unix = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 && domain == AF_UNIX;
  if (!is_unix || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) != 0) return false;
  return who.uid == 0 || who.uid == geteuid();
}

Result<void> send_queued(int fd, std::string& queue, size_t& sent) {
  while (sent < queue.size()) {
    const ssize_t size = send(fd, queue.data() + sent, queue.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN ? Result<void>{} : fail(errno);
    sent += static_cast<size_t>(size);
  }
  queue.clear();
  sent = 0;
  return {};
}

}  // namespace osp::pip
