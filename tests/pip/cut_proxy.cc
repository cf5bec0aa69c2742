// cut-proxy LISTEN TARGET: passes streams on, and breaks them when told. Addresses as pipd's.
//   SIGUSR1  closes all connections
//   SIGUSR2  begins, or ends, to hold everything back: connections stay, nothing passes
//   SIGTERM  ends
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <list>

#include "pip/stream_socket.h"

namespace osp::pip {
namespace {

constexpr int connect_timeout_ms = 1000;
constexpr size_t most_waiting = 1U << 20;  // bytes

// One direction of a connection.
struct Flow {
  int from = -1, to = -1;
  std::string waiting{};

  // False: it is over.
  bool receive() {
    std::array<char, 65536> buffer;
    const ssize_t size = recv(from, buffer.data(), buffer.size(), 0);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    waiting.append(buffer.data(), static_cast<size_t>(size));
    return size > 0;
  }
  bool send() {
    const ssize_t size = ::send(to, waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    waiting.erase(0, static_cast<size_t>(size));
    return true;
  }
};

struct Pair {
  HostFd client, server;
  Flow up{}, down{};
};

class Proxy {
 public:
  Proxy(HostFd listener, Address target, HostFd signals)
      : listener_(std::move(listener)), target_(std::move(target)), signals_(std::move(signals)) {}

  void run() {
    while (true) {
      std::vector<pollfd> fds = {{.fd = listener_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
      for (const Pair& pair : pairs_) {
        fds.push_back(poll_of(pair.up, pair.down));
        fds.push_back(poll_of(pair.down, pair.up));
      }
      if (poll(fds.data(), fds.size(), -1) < 0) continue;
      pass(fds);
      if (fds[0].revents != 0) accept_one();
      if (fds[1].revents != 0 && !take_signal()) return;
    }
  }

 private:
  // The fd that `in` reads from and `out` writes to.
  [[nodiscard]] pollfd poll_of(const Flow& in, const Flow& out) const {
    const bool reads = !held_back_ && in.waiting.size() < most_waiting;
    const bool writes = !held_back_ && !out.waiting.empty();
    return {.fd = held_back_ ? -1 : in.from,
            .events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)),
            .revents = 0};
  }

  void pass(const std::vector<pollfd>& fds) {
    size_t i = 2;
    for (auto pair = pairs_.begin(); pair != pairs_.end(); i += 2) {
      const bool alive =
          pass_one(pair->up, pair->down, fds[i].revents) && pass_one(pair->down, pair->up, fds[i + 1].revents);
      pair = alive ? std::next(pair) : pairs_.erase(pair);
    }
  }

  static bool pass_one(Flow& in, Flow& out, short events) {
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !in.receive()) return false;
    return (events & POLLOUT) == 0 || out.send();
  }

  void accept_one() {
    auto client = accept_stream(listener_.get());
    if (!client) return;
    auto server = connect_stream(target_, connect_timeout_ms);
    if (!server) return;  // the client sees its connection close
    const int here = client->get(), there = server->get();
    pairs_.push_back({.client = std::move(*client),
                      .server = std::move(*server),
                      .up = {.from = here, .to = there},
                      .down = {.from = there, .to = here}});
  }

  bool take_signal() {
    signalfd_siginfo info{};
    if (read(signals_.get(), &info, sizeof info) != sizeof info) return true;
    if (info.ssi_signo == SIGUSR1) pairs_.clear();
    if (info.ssi_signo == SIGUSR2) held_back_ = !held_back_;
    return info.ssi_signo != SIGTERM;
  }

  HostFd listener_;
  Address target_;
  HostFd signals_;
  std::list<Pair> pairs_;
  bool held_back_ = false;
};

int run(const char* listen_text, const char* target_text) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGUSR1, SIGUSR2, SIGTERM}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  auto address = parse_address(listen_text);
  auto target = parse_address(target_text);
  if (!address || !target) return fmt::print(stderr, "cut-proxy: addresses are unix:PATH or tcp:HOST:PORT\n"), 2;
  auto listener = listen_stream(*address);
  if (!listener) {
    fmt::print(stderr, "cut-proxy: cannot listen on '{}': {}\n", listen_text, describe(listener.error()));
    return EXIT_FAILURE;
  }
  fmt::print("cut-proxy: listening on {}\n", address->text());
  fflush(stdout);
  Proxy(std::move(*listener), std::move(*target), HostFd(signalfd(-1, &set, SFD_CLOEXEC))).run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace osp::pip

int main(int argc, char** argv) {
  if (argc != 3) return fmt::print(stderr, "Usage: cut-proxy LISTEN TARGET\n"), 2;
  return osp::pip::run(argv[1], argv[2]);
}
