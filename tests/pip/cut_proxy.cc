// cut-proxy LISTEN TARGET [MS [MBIT]]: passes streams on, and breaks them when told. Addresses as pipd's. With numbers
// it is a long line: bytes, and connections, are MS milliseconds on their way, and MBIT million bits fit into a second.
//   SIGUSR1  closes all connections
//   SIGUSR2  begins, or ends, to hold everything back: connections stay, nothing passes
//   SIGTERM  ends
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <list>

#include "pip/stream_socket.h"

namespace osp::pip {
namespace {

constexpr int connect_timeout_ms = 1000;
constexpr size_t most_waiting = 8U << 20;  // bytes

using Clock = std::chrono::steady_clock;

struct Line {
  Clock::duration delay{};
  double bytes_per_second = 0;  // 0: any number
};

// One direction of a connection.
struct Flow {
  int from = -1, to = -1;
  struct Part {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Part> waiting{};
  size_t size = 0;              // of all that waits
  Clock::time_point free_at{};  // when the line has taken all so far

  // False: it is over.
  bool receive(const Line& line) {
    std::array<char, 65536> buffer;
    const ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    free_at = std::max(free_at, Clock::now());
    if (line.bytes_per_second > 0)
      free_at += std::chrono::nanoseconds(static_cast<int64_t>(1e9 * static_cast<double>(got) / line.bytes_per_second));
    waiting.push_back({free_at + line.delay, std::string(buffer.data(), static_cast<size_t>(got))});
    size += static_cast<size_t>(got);
    return true;
  }
  bool send() {
    while (is_due()) {
      std::string& bytes = waiting.front().bytes;
      const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      size -= static_cast<size_t>(sent);
      bytes.erase(0, static_cast<size_t>(sent));
      if (bytes.empty()) waiting.pop_front();
    }
    return true;
  }
  [[nodiscard]] bool is_due() const { return !waiting.empty() && waiting.front().due <= Clock::now(); }
  // In so many milliseconds; -1: nothing is.
  [[nodiscard]] int due_in_ms() const {
    if (waiting.empty()) return -1;
    const auto left = waiting.front().due - Clock::now();
    return std::max(0, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
  }
};

struct Pair {
  HostFd client, server;
  Flow up{}, down{};

  [[nodiscard]] int due_in_ms() const {
    const int one = up.due_in_ms(), other = down.due_in_ms();
    return one < 0 ? other : other < 0 ? one : std::min(one, other);
  }
};

class Proxy {
 public:
  Proxy(HostFd listener, Address target, HostFd signals, Line line)
      : listener_(std::move(listener)), target_(std::move(target)), signals_(std::move(signals)), line_(line) {}

  void run() {
    while (true) {
      std::vector<pollfd> fds = {{.fd = listener_.get(), .events = POLLIN, .revents = 0},
                                 {.fd = signals_.get(), .events = POLLIN, .revents = 0}};
      for (const Pair& pair : pairs_) {
        fds.push_back(poll_of(pair.up, pair.down));
        fds.push_back(poll_of(pair.down, pair.up));
      }
      if (poll(fds.data(), fds.size(), due_in_ms()) < 0) continue;
      pass(fds);
      if (fds[0].revents != 0) accept_one();
      if (fds[1].revents != 0 && !take_signal()) return;
    }
  }

 private:
  [[nodiscard]] int due_in_ms() const {
    int least = -1;
    for (const Pair& pair : pairs_)
      if (const int due = pair.due_in_ms(); !held_back_ && due > 0) least = least < 0 ? due : std::min(least, due);
    return least;
  }

  // The fd that `in` reads from and `out` writes to.
  [[nodiscard]] pollfd poll_of(const Flow& in, const Flow& out) const {
    const bool reads = !held_back_ && in.size < most_waiting;
    const bool writes = !held_back_ && out.is_due();
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

  bool pass_one(Flow& in, Flow& out, short events) const {
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !in.receive(line_)) return false;
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
    // As a handshake of TCP would take: the first bytes wait for one there and back.
    pairs_.back().up.free_at = Clock::now() + 2 * line_.delay;
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
  Line line_;
  std::list<Pair> pairs_;
  bool held_back_ = false;
};

int run(const char* listen_text, const char* target_text, Line line) {
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
  Proxy(std::move(*listener), std::move(*target), HostFd(signalfd(-1, &set, SFD_CLOEXEC)), line).run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace osp::pip

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) return fmt::print(stderr, "Usage: cut-proxy LISTEN TARGET [MS [MBIT]]\n"), 2;
  osp::pip::Line line;
  if (argc > 3) line.delay = std::chrono::milliseconds(atoi(argv[3]));
  if (argc > 4) line.bytes_per_second = atof(argv[4]) * 1e6 / 8;
  return osp::pip::run(argv[1], argv[2], line);
}
