#include "tools/osp_boot_session.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <csignal>

namespace osp::tools {
namespace {

// What a pipe that is ready takes at once, so that no write blocks.
constexpr size_t piece_size = PIPE_BUF;
constexpr size_t words_max = 4096;
// How often a process in the background looks whether it has become the terminal's.
constexpr int64_t background_ns = 200'000'000;

constexpr std::array passed_on = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
// Of these a second one within that time is not for the program: it, or the machine, did not heed the first.
constexpr std::array insistent = {SIGQUIT, SIGTERM};
constexpr int64_t soon_ns = 5'000'000'000;
constexpr std::array taken = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH, SIGUSR1};

int64_t now_ns() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool is_foreground() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

sigset_t taken_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : taken) {
    struct sigaction action {};
    const bool ignored = sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
    if (!ignored) sigaddset(&set, number);
  }
  return set;
}

bool is_passing(int error) { return error == EAGAIN || error == EINTR; }

// Appends what there is to `text`, which keeps its last `most` bytes; sets `ended` at the end.
void read_into(int fd, std::string& text, bool& ended, size_t most) {
  char piece[piece_size];
  const ssize_t size = read(fd, piece, sizeof piece);
  if (size > 0) text.append(piece, static_cast<size_t>(size));
  if (text.size() > most) text.erase(0, text.size() - most);
  ended = size == 0 || (size < 0 && !is_passing(errno));
}

// Takes a whole line off `text`; none: there is no whole one.
std::optional<std::string> take_line(std::string& text) {
  const size_t end = text.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = text.substr(0, end);
  text.erase(0, end + 1);
  return line;
}

// The number in "exit N", the last line of that kind.
std::optional<int> exit_status(std::string text) {
  constexpr std::string_view word = "exit ";
  std::optional<int> status;
  while (const auto line = take_line(text)) {
    unsigned char number = 0;
    if (!line->starts_with(word)) continue;
    const char* end = line->data() + line->size();
    const auto [at, error] = std::from_chars(line->data() + word.size(), end, number);
    if (error == std::errc() && at == end) status = number;
  }
  return status;
}

// What follows "failed ", on a line of its own; empty: nothing failed.
std::string failure_of(std::string text) {
  constexpr std::string_view word = "failed ";
  while (const auto line = take_line(text))
    if (line->starts_with(word)) return line->substr(word.size());
  return {};
}

}  // namespace

void Pump::read() {
  char piece[piece_size];
  const ssize_t size = ::read(from_, piece, sizeof piece);
  if (size > 0 && !broken_) buffer_.assign(piece, static_cast<size_t>(size));
  for (size_t at = 0; returns_ && (at = buffer_.find('\n', at)) != std::string::npos; at += 2)
    buffer_.insert(at, 1, '\r');
  ended_ = size == 0 || (size < 0 && !is_passing(errno));
}

void Pump::write() {
  const ssize_t size = ::write(to_, buffer_.data(), buffer_.size());
  if (size > 0) {
    written_ += static_cast<uint64_t>(size);
    buffer_.erase(0, static_cast<size_t>(size));
  } else if (size < 0 && !is_passing(errno)) {
    broken_ = true;
    buffer_.clear();
  }
}

void Session::block_signals() {
  const sigset_t set = taken_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

Session::Session(Machine& machine, RawTerminal& terminal, bool has_terminal)
    : machine_(machine),
      terminal_(terminal),
      has_terminal_(has_terminal),
      input_(STDIN_FILENO, machine.input()),
      output_(machine.output(), STDOUT_FILENO),
      console_(machine.port(Port::console), STDERR_FILENO, has_terminal && isatty(STDERR_FILENO) == 1) {
  const sigset_t set = taken_signals();
  signals_ = pip::HostFd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

bool Session::takes_input() const {
  return core_is_ready_ && input_.wants_read() && (isatty(STDIN_FILENO) != 1 || is_foreground());
}

// Waits for any of it, and notes which.
void Session::wait(int64_t deadline_ns) {
  std::array<pollfd, static_cast<size_t>(Slot::count)> slots;
  slots.fill({.fd = -1, .events = 0, .revents = 0});
  const auto want = [&](Slot slot, bool wanted, int fd, short events) {
    if (wanted) slots[static_cast<size_t>(slot)] = {.fd = fd, .events = events, .revents = 0};
  };
  want(Slot::input, takes_input(), input_.from(), POLLIN);
  want(Slot::input_to, input_.wants_write(), input_.to(), POLLOUT);
  want(Slot::output, output_.wants_read(), output_.from(), POLLIN);
  want(Slot::output_to, output_.wants_write(), output_.to(), POLLOUT);
  want(Slot::console, console_.wants_read(), console_.from(), POLLIN);
  want(Slot::console_to, console_.wants_write(), console_.to(), POLLOUT);
  want(Slot::orders, !orders_ended_, machine_.port(Port::orders), POLLIN);
  want(Slot::orders_to, core_is_ready_ && !to_send_.empty(), machine_.port(Port::orders), POLLOUT);
  want(Slot::status, !status_ended_, machine_.port(Port::status), POLLIN);
  want(Slot::words, !words_ended_, machine_.words(), POLLIN);
  want(Slot::signals, true, signals_.get(), POLLIN);
  const bool waits_for_terminal = core_is_ready_ && input_.wants_read() && !takes_input();
  if (waits_for_terminal) deadline_ns = std::min(deadline_ns, now_ns() + background_ns);
  const int64_t left_ms = (std::max<int64_t>(deadline_ns - now_ns(), 0) + 999'999) / 1'000'000;
  const int timeout_ms = deadline_ns == INT64_MAX ? -1 : static_cast<int>(std::min<int64_t>(left_ms, INT_MAX));
  ready_ = 0;
  if (poll(slots.data(), slots.size(), timeout_ms) <= 0) return;
  for (size_t i = 0; i < slots.size(); ++i)
    if (slots[i].revents != 0) ready_ |= 1U << i;
}

void Session::serve() {
  const auto is_ready = [this](Slot slot) { return (ready_ & 1U << static_cast<unsigned>(slot)) != 0; };
  if (is_ready(Slot::input)) input_.read();
  if (is_ready(Slot::input_to)) input_.write();
  if (is_ready(Slot::output)) output_.read();
  if (is_ready(Slot::output_to)) output_.write();
  if (is_ready(Slot::console)) console_.read();
  if (is_ready(Slot::console_to)) console_.write();
  if (is_ready(Slot::orders)) read_into(machine_.port(Port::orders), orders_, orders_ended_, words_max);
  if (is_ready(Slot::orders_to)) flush_orders();
  if (is_ready(Slot::status)) read_into(machine_.port(Port::status), status_, status_ended_, words_max);
  if (is_ready(Slot::words)) read_into(machine_.words(), words_, words_ended_, words_max);
  if (is_ready(Slot::signals)) take_signals();
  take_orders();
  tell_what_happened();
}

void Session::flush_orders() {
  const ssize_t size = write(machine_.port(Port::orders), to_send_.data(), to_send_.size());
  if (size > 0)
    to_send_.erase(0, static_cast<size_t>(size));
  else if (!is_passing(errno))
    to_send_.clear();  // the machine is gone, which its ports tell
}

void Session::tell_what_happened() {
  if (input_.is_done() && !told_eof_) {
    send(fmt::format("eof {}", input_.count()));
    told_eof_ = true;
  }
  if (output_.is_broken() && !told_closed_) {
    send("closed");
    told_closed_ = true;
  }
}

void Session::pass_on(int number) {
  const int64_t now = now_ns();
  const auto before = came_at_.find(number);
  const bool again = before != came_at_.end() && now - before->second < soon_ns;
  if (again && std::ranges::find(insistent, number) != insistent.end()) ended_by_ = number;
  came_at_[number] = now;
  send(fmt::format("signal {}", number));
}

void Session::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    const int number = static_cast<int>(info.ssi_signo);
    if (std::ranges::find(passed_on, number) != passed_on.end()) pass_on(number);
    if (number == SIGUSR1) send("tasks");
    if (number == SIGWINCH) send_size();
    if (number == SIGTSTP) stop();
    if (number == SIGCONT) go_on();
  }
}

void Session::take_orders() {
  while (const auto line = take_line(orders_)) {
    if (*line == "ready") core_is_ready_ = true;
    if (*line != "stop") continue;
    program_is_stopped_ = true;
    kill(0, SIGTSTP);  // as the terminal does it, of which the core has the line discipline: to the whole job
  }
}

// As SIGTSTP would, but that the terminal is put in order and the machine stops too.
void Session::stop() {
  terminal_.restore();
  machine_.stop();
  raise(SIGSTOP);
}

void Session::go_on() {
  machine_.go_on();
  if (has_terminal_ && is_foreground()) terminal_.make_raw();
  send_size();
  if (program_is_stopped_) send(fmt::format("signal {}", SIGCONT));
  program_is_stopped_ = false;
}

void Session::send_size() {
  winsize size{};
  for (int fd = 0; fd < 3; ++fd) {
    if (isatty(fd) != 1 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) continue;
    return send(fmt::format("size {} {}", size.ws_row, size.ws_col));
  }
}

bool Session::is_over() const {
  return output_.is_done() && console_.is_done() && orders_ended_ && status_ended_ && words_ended_;
}

SessionEnd Session::run(double timeout_s) {
  const int64_t deadline_ns = timeout_s > 0 ? now_ns() + static_cast<int64_t>(timeout_s * 1e9) : INT64_MAX;
  bool timed_out = false;
  while (!is_over() && !timed_out && ended_by_ == 0) {
    wait(deadline_ns);
    serve();
    timed_out = now_ns() >= deadline_ns;
  }
  const std::string failure = failure_of(status_);
  return {.status = failure.empty() ? exit_status(status_) : std::nullopt,
          .timed_out = timed_out,
          .ended_by = ended_by_,
          .failure = failure,
          .words = words_};
}

}  // namespace osp::tools
