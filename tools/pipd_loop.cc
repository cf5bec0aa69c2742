#include "tools/pipd_loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>

#include "base/log.h"

namespace osp::pipd {
namespace {

constexpr int expire_every_ms = 5000;
constexpr int look_again_ms = 250;  // while groups wait for leases
constexpr uint64_t look_after_every_s = 5;
constexpr uint64_t settled_within_s = 10;
constexpr size_t most_unsent = 8U << 20;  // bytes for a client that does not read: it is not read from either

}  // namespace

Result<std::unique_ptr<Loop>> Loop::create(pip::SessionServer& server, const pip::Doorkeeper& doorkeeper,
                                           Options options) {
  std::unique_ptr<Loop> loop(new Loop(server, doorkeeper, std::move(options)));
  loop->epoll_ = pip::HostFd(epoll_create1(EPOLL_CLOEXEC));
  if (loop->epoll_.get() < 0) return fail(errno);
  const sigset_t set = block_signals();
  loop->signals_ = pip::HostFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (loop->signals_.get() < 0) return fail(errno);
  OSP_TRY(loop->watch(loop->signals_.get(), EPOLLIN, EPOLL_CTL_ADD));
  if (loop->options_.watch >= 0) OSP_TRY(loop->watch(loop->options_.watch, EPOLLIN, EPOLL_CTL_ADD));
  return loop;
}

sigset_t Loop::block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return set;
}

Result<void> Loop::watch(int fd, uint32_t events, int operation) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  return epoll_ctl(epoll_.get(), operation, fd, &event) == 0 ? Result<void>{} : fail(errno);
}

Result<void> Loop::add_listener(pip::HostFd listener) {
  OSP_TRY(watch(listener.get(), EPOLLIN, EPOLL_CTL_ADD));
  listeners_.push_back(std::move(listener));
  return {};
}

Result<void> Loop::add_listener(pip::udp::DatagramSocket listener) {
  OSP_ASSIGN(auto made, pip::udp::ServerSocket::create(server_, doorkeeper_, std::move(listener)));
  OSP_TRY(watch(made->fd(), EPOLLIN, EPOLL_CTL_ADD));
  datagrams_[made->fd()] = std::move(made);
  return {};
}

uint64_t Loop::now_s() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

Result<void> Loop::run() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int wait_ms = server_.has_deferred() ? look_again_ms : expire_every_ms;
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    if (count < 0 && errno != EINTR) return fail(errno);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      OSP_ASSIGN(const bool go_on, serve_one(event.data.fd, event.events));
      if (!go_on) return {};
    }
    if (std::exchange(expired_s_, now_s()) != now_s()) server_.expire(now_s());
    if (now_s() - looked_after_s_ >= look_after_every_s) look_after();
    send_output();
  }
}

// The rules, or the time, may let somebody in no more.
void Loop::look_after() {
  looked_after_s_ = now_s();
  listen(true);
  if (options_.each_while) options_.each_while();
  for (auto& [fd, socket] : datagrams_) socket->look_after();
  for (auto& [fd, connection] : connections_) {
    const bool is_late = !connection.link->is_settled() && now_s() - connection.since_s >= settled_within_s;
    if (connection.closing || (!is_late && connection.link->reconsider())) continue;
    log::info("pipd", "closes a connection {}", is_late ? "that has nothing to say" : "whose peer may be here no more");
    connection.closing = true;
    shutdown(fd, SHUT_RDWR);  // so that its turn comes
  }
}

// False: it is one that ends us.
bool Loop::take_signal() {
  signalfd_siginfo info = {};
  if (read(signals_.get(), &info, sizeof info) != sizeof info || info.ssi_signo != SIGHUP) return false;
  look_after();
  return true;
}

// False: it is time to end.
Result<bool> Loop::serve_one(int fd, uint32_t events) {
  if (fd == signals_.get()) return take_signal();
  if (fd == options_.watch) return server_.look_at_changes(), true;
  if (const auto found = datagrams_.find(fd); found != datagrams_.end()) return found->second->serve(), true;
  const bool is_listener = std::ranges::any_of(listeners_, [fd](const auto& one) { return one.get() == fd; });
  if (is_listener) {
    accept_all(fd);
  } else if (const auto found = connections_.find(fd); found != connections_.end()) {
    serve(found->second, events);
  }
  return true;
}

void Loop::accept_all(int listener) {
  while (true) {
    auto fd = pip::accept_stream(listener);
    if (!fd) {
      if (fd.error().code == EAGAIN || fd.error().code == ECONNABORTED) return;
      log::warn("pipd", "cannot accept a connection: {}", describe(fd.error()));
      return listen(false);
    }
    const int number = fd->get();
    if (!watch(number, EPOLLIN, EPOLL_CTL_ADD)) continue;
    Connection& connection = connections_[number];
    connection = Connection{.fd = std::move(*fd), .watched = EPOLLIN, .since_s = now_s()};
    connection.link = std::make_unique<pip::ServerLink>(server_, doorkeeper_, access_in_clear(number));
  }
}

// While there is no room, a listener would be ready again and again.
void Loop::listen(bool to_all) {
  if (is_full_ == !to_all) return;
  is_full_ = !to_all;
  for (const pip::HostFd& listener : listeners_)
    if (!watch(listener.get(), to_all ? EPOLLIN : 0U, EPOLL_CTL_MOD)) log::warn("pipd", "a listener cannot be watched");
}

// The user's own processes, and root's, need no key on this machine.
pip::Access Loop::access_in_clear(int fd) const {
  return options_.in_clear || pip::is_own_user(fd) ? pip::Access::everything() : pip::Access();
}

void Loop::serve(Connection& connection, uint32_t events) {
  if ((events & EPOLLOUT) != 0) send(connection);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connection.closing) receive(connection);
  send(connection);
  const bool done = connection.closing && connection.out_sent == connection.out.size();
  if (done || (events & (EPOLLHUP | EPOLLERR)) != 0) {
    close(connection.fd.get());
  } else {
    adjust(connection);
  }
}

void Loop::receive(Connection& connection) {
  static std::array<char, 262144> buffer;  // one loop a process
  const ssize_t size = recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    connection.closing = true;
    connection.out.clear();
    connection.out_sent = 0;
    return;
  }
  const std::string_view bytes(buffer.data(), static_cast<size_t>(size));
  if (const auto taken = connection.link->receive(bytes, connection.out, now_s()); !taken) {
    log::info("pipd", "closes a connection: {}", describe(taken.error()));
    connection.closing = true;
  }
}

void Loop::send(Connection& connection) {
  while (connection.out_sent < connection.out.size()) {
    const ssize_t size = ::send(connection.fd.get(), connection.out.data() + connection.out_sent,
                                connection.out.size() - connection.out_sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size < 0) {
      connection.closing = true;
      break;
    }
    connection.out_sent += static_cast<size_t>(size);
  }
  connection.out.clear();
  connection.out_sent = 0;
}

// What the server has for connections besides answers to what they just sent.
void Loop::send_output() {
  const std::vector<uint64_t> ids = server_.connections_with_output();
  if (ids.empty()) return;
  for (auto& [fd, socket] : datagrams_) socket->take_output(ids);
  for (auto& [fd, connection] : connections_) {
    if (connection.closing || !std::ranges::binary_search(ids, connection.link->id())) continue;
    if (!connection.link->take_output(connection.out)) connection.closing = true;
    send(connection);
    adjust(connection);
  }
}

void Loop::adjust(Connection& connection) {
  const size_t unsent = connection.out.size() - connection.out_sent;
  const bool reads = !connection.closing && unsent < most_unsent;
  const uint32_t events = (unsent > 0 ? EPOLLOUT : 0U) | (reads ? EPOLLIN : 0U);
  if (events == connection.watched) return;
  connection.watched = events;
  if (!watch(connection.fd.get(), events, EPOLL_CTL_MOD)) connection.closing = true;
}

void Loop::close(int fd) {
  const auto found = connections_.find(fd);
  found->second.link->disconnected(now_s());
  connections_.erase(found);
  listen(true);
}

}  // namespace osp::pipd
