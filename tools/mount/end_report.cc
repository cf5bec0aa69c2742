#include "tools/mount/end_report.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace osp::fuse {
namespace {

constexpr int waiting_listeners = 8;
constexpr size_t most_listeners = 64;
constexpr char has_told = '.';  // in front of what is lost

// A name that begins with NUL is no file's.
socklen_t abstract(const std::string& name, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  const size_t size = std::min(name.size(), sizeof address.sun_path - 1);
  memcpy(address.sun_path + 1, name.data(), size);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
}

pip::HostFd new_socket() { return pip::HostFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

}  // namespace

EndReport::EndReport(keeper::Loop& loop, pip::HostFd socket, std::string name)
    : loop_(loop), socket_(std::move(socket)), name_(std::move(name)) {}

Result<std::unique_ptr<EndReport>> EndReport::create(keeper::Loop& loop) {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return fail(EIO);
  const std::string name = fmt::format("osp-mount-{}-{:016x}", getpid(), number);
  sockaddr_un address;
  const socklen_t size = abstract(name, address);
  pip::HostFd socket = new_socket();
  // Casts: as bind(2) wants it.
  if (socket.get() < 0 || bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(socket.get(), waiting_listeners) != 0)
    return fail(errno);
  std::unique_ptr<EndReport> made(new EndReport(loop, std::move(socket), name));
  OSP_TRY(loop.watch(made->socket_.get(), EPOLLIN, [raw = made.get()](uint32_t) { raw->accept_all(); }));
  return made;
}

EndReport::~EndReport() { loop_.forget(socket_.get()); }

// Those who have gone again make room.
void EndReport::accept_all() {
  std::erase_if(listeners_, [](const pip::HostFd& one) {
    char byte = 0;
    return recv(one.get(), &byte, 1, MSG_DONTWAIT) == 0;
  });
  while (true) {
    pip::HostFd listener(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (listener.get() < 0) return;
    if (listeners_.size() < most_listeners) listeners_.push_back(std::move(listener));
  }
}

void EndReport::tell(const std::string& lost) {
  accept_all();
  const std::string text = has_told + lost;
  for (const pip::HostFd& listener : listeners_) (void)!send(listener.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

Result<EndWatch> EndWatch::of(const std::string& directory, uid_t owner) {
  std::array<char, sizeof sockaddr_un::sun_path> name = {};
  const ssize_t length =
      getxattr(directory.c_str(), std::string(EndReport::attribute).c_str(), name.data(), name.size() - 1);
  if (length < 0) return fail(errno);
  sockaddr_un address;
  const socklen_t size = abstract(std::string(name.data(), static_cast<size_t>(length)), address);
  pip::HostFd socket = new_socket();
  // Casts: as connect(2) wants it.
  if (socket.get() < 0 || connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return fail(errno);
  ucred peer = {};
  socklen_t peer_size = sizeof peer;
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0) return fail(errno);
  if (peer.uid != owner) return fail(EPERM);
  return EndWatch(std::move(socket), peer.pid);
}

std::optional<EndWatch::End> EndWatch::await(int64_t patience_ms) {
  const int64_t until_ms = keeper::now_ms() + patience_ms;
  while (true) {
    const int64_t left_ms = std::max<int64_t>(until_ms - keeper::now_ms(), 0);
    pollfd said = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (poll(&said, 1, static_cast<int>(left_ms)) == 0) return std::nullopt;
    std::array<char, 4096> text;
    const ssize_t size = recv(socket_.get(), text.data(), text.size(), 0);
    if (size > 0) heard_.append(text.data(), static_cast<size_t>(size));
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR))) continue;
    const bool told = heard_.starts_with(has_told);
    return End{.has_told = told, .lost = told ? heard_.substr(1) : std::string()};
  }
}

}  // namespace osp::fuse
