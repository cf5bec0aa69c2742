// many-sessions ADDRESS COUNT BUSY SECONDS: opens COUNT sessions on a pipd, keeps them all, and has BUSY of them read
// a file ("busy") for SECONDS; then asks each whether it is still there. Prints what it saw as JSON.
#include <fmt/format.h>
#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/fd_limit.h"
#include "pip/secure/client_link.h"
#include "pip/stream_socket.h"

namespace osp::pip {
namespace {

constexpr size_t most_opening = 100;  // at once: a listener's queue is no longer
constexpr int patience_ms = 20'000;
constexpr uint32_t root_fid = 1, file_fid = 2, count = 4096;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

struct One {
  One(const Address& address, const KeyStore& keys) : link(address, {}, keys) {}
  ClientLink link;
  HostFd fd;
  std::string out;
  size_t sent = 0;
  bool is_open = false;
};

class Many {
 public:
  Many(Address address, size_t all) : address_(std::move(address)), ones_(all), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  Result<void> open_all() {
    for (size_t next = 0; open_ < ones_.size();) {
      // The first alone: it learns the server's key for all.
      while (next < ones_.size() && next - open_ < (open_ == 0 ? 1 : most_opening)) OSP_TRY(open(next++));
      OSP_TRY(serve([this](size_t i) { opened(i); }));
    }
    return {};
  }

  // Each of the first `busy` asks again as soon as it has its answer.
  Result<uint64_t> read_for(size_t busy, double seconds) {
    uint64_t groups = 0;
    const auto begun = Clock::now();
    for (size_t i = 0; i < busy; ++i)
      OSP_TRY(ask(i, {Topen{.fid = root_fid, .nfid = file_fid, .path = "busy", .mode = "r"}}));
    while (seconds_since(begun) < seconds)
      OSP_TRY(serve([&](size_t i) {
        ++groups;
        (void)ask(i, {Tread{.fid = file_fid, .offset = 0, .count = count, .attrs = ""}});
      }));
    while (unanswered_ > 0) OSP_TRY(serve([&](size_t) { ++groups; }));
    return groups;
  }

  // How many answer.
  Result<size_t> ask_all() {
    size_t answered = 0;
    for (size_t i = 0; i < ones_.size(); ++i)
      OSP_TRY(ask(i, {Topen{.fid = root_fid, .nfid = no_fid, .path = "", .mode = "n"}}));
    while (unanswered_ > 0) OSP_TRY(serve([&](size_t) { ++answered; }));
    return answered;
  }

 private:
  Result<void> open(size_t i) {
    ones_[i] = std::make_unique<One>(address_, keys_);
    One& one = *ones_[i];
    OSP_ASSIGN(one.fd, connect_stream(address_, patience_ms));
    OSP_TRY(one.link.connected(one.out));
    OSP_TRY(ask(i, {Tattach{.fid = root_fid, .afid = no_fid, .uname = "", .aname = ""}}));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, one.fd.get(), &event) == 0 ? Result<void>{} : fail(errno);
  }
  void opened(size_t i) {
    if (!std::exchange(ones_[i]->is_open, true)) ++open_;
  }

  Result<void> ask(size_t i, const std::vector<Message>& messages) {
    OSP_TRY(ones_[i]->link.submit(messages, 0, ones_[i]->out));
    ++unanswered_;
    return flush(*ones_[i]);
  }
  static Result<void> flush(One& one) { return send_queued(one.fd.get(), one.out, one.sent); }

  // What has arrived, or ETIMEDOUT; calls for each answer, none of which may be an error.
  template <class Answered>
  Result<void> serve(Answered&& answered) {
    std::array<epoll_event, 256> events;
    const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), patience_ms);
    if (ready <= 0) return fail(ready == 0 ? ETIMEDOUT : errno);
    for (int e = 0; e < ready; ++e) {
      const size_t i = events.at(static_cast<size_t>(e)).data.u64;
      OSP_TRY(receive(*ones_[i]));
      while (const auto tag = ones_[i]->link.session().next_answered()) {
        OSP_TRY(check(ones_[i]->link.session().take(*tag)));
        --unanswered_;
        answered(i);
      }
    }
    return {};
  }
  static Result<void> receive(One& one) {
    std::array<char, 65536> buffer;
    OSP_ASSIGN(const size_t size, from_raw<size_t>(raw::read(one.fd.get(), buffer.data(), buffer.size())));
    if (size == 0) return fail(ECONNRESET);
    OSP_TRY(one.link.receive(std::string_view(buffer.data(), size), one.out));
    return flush(one);
  }
  static Result<void> check(const std::optional<Answer>& answer) {
    for (const Message& reply : answer->replies)
      if (const auto* error = std::get_if<Rerror>(&reply)) return fail(static_cast<int>(error->number));
    return {};
  }

  Address address_;
  KeyStore keys_{KeyStore::default_directory()};
  std::vector<std::unique_ptr<One>> ones_;
  HostFd epoll_;
  size_t open_ = 0, unanswered_ = 0;
};

Result<void> run(const char* where, size_t all, size_t busy, double seconds) {
  OSP_ASSIGN(const Address address, parse_address(where));
  Many many(address, all);
  const auto begun = Clock::now();
  OSP_TRY(many.open_all());
  const double opening = seconds_since(begun);
  OSP_ASSIGN(const uint64_t groups, many.read_for(busy, seconds));
  OSP_ASSIGN(const size_t answered, many.ask_all());
  fmt::print(R"({{"open": {}, "seconds_to_open": {:.2f}, "groups": {}, "answered": {}}})"
             "\n",
             all, opening, groups, answered);
  fflush(stdout);
  return {};
}

}  // namespace
}  // namespace osp::pip

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: many-sessions ADDRESS COUNT BUSY SECONDS\n");
    return 2;
  }
  osp::take_all_fds();
  signal(SIGPIPE, SIG_IGN);
  const auto done = osp::pip::run(argv[1], strtoul(argv[2], nullptr, 10), strtoul(argv[3], nullptr, 10), atof(argv[4]));
  if (done) {
    pause();  // until somebody has looked at the server
    return 0;
  }
  fmt::print(stderr, "many-sessions: {}\n", osp::describe(done.error()));
  return 1;
}
