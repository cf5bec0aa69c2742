#include "tools/control_channel.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/raw_syscall.h"
#include "libosp/control/socket_name.h"
#include "libosp/host/window.h"
#include "libosp/trap/raw_handler.h"

namespace osp::tools {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds answer_within = 5s;
constexpr int idle_ms = 100;

template <class F>
bool any_line(const std::string& path, F&& test) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (test(line)) return true;
  return false;
}

// The core lies at a fixed address where nothing else does.
bool has_core(pid_t pid) {
  const std::string start = fmt::format("{:x}-", window::image);
  return any_line(fmt::format("/proc/{}/maps", pid), [&](const std::string& line) { return line.starts_with(start); });
}

// Until the core has installed its handlers the signal would kill.
bool listens(pid_t pid) {
  return any_line(fmt::format("/proc/{}/status", pid), [](const std::string& line) {
    if (!line.starts_with("SigCgt:")) return false;
    const uint64_t caught = std::strtoull(line.c_str() + 7, nullptr, 16);
    return ((caught >> (trap::control_signal - 1)) & 1) != 0;
  });
}

bool is_stopped(pid_t pid) {
  return any_line(fmt::format("/proc/{}/status", pid), [](const std::string& line) {
    return line.starts_with("State:\tT") || line.starts_with("State:\tt");
  });
}

std::string reason_not_to(pid_t pid) {
  struct stat st = {};
  if (stat(fmt::format("/proc/{}", pid).c_str(), &st) != 0) return fmt::format("there is no process {}", pid);
  if (geteuid() != 0 && st.st_uid != geteuid())
    return fmt::format("process {} is another user's (uid {})", pid, st.st_uid);
  if (!has_core(pid)) return fmt::format("process {} does not run in Osprey; osp ps lists those that do", pid);
  for (auto left = answer_within; !listens(pid); left -= 10ms) {  // it has only just started
    if (left <= 0ms || !has_core(pid)) return fmt::format("process {} does not get ready to answer", pid);
    std::this_thread::sleep_for(10ms);
  }
  return {};
}

std::expected<pip::HostFd, std::string> listen_for(uint64_t nonce) {
  pip::HostFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const control::SocketName name = control::socket_name(nonce);
  const auto* address = reinterpret_cast<const sockaddr*>(&name.address);  // as bind(2) wants it
  if (fd.get() < 0 || bind(fd.get(), address, name.size) != 0 || listen(fd.get(), 1) != 0)
    return std::unexpected(fmt::format("cannot make a socket: {}", describe(Error(errno))));
  return fd;
}

long ask(pid_t pid, uint64_t nonce) {
  siginfo_t info = {};
  info.si_signo = trap::control_signal;
  info.si_code = SI_QUEUE;
  info.si_errno = trap::control_mark;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(nonce);
  return raw::syscall(SYS_rt_sigqueueinfo, pid, trap::control_signal, &info);
}

std::expected<pip::HostFd, std::string> accept_from(int listener, pid_t pid, std::chrono::milliseconds patience) {
  pollfd wait = {listener, POLLIN, 0};
  if (poll(&wait, 1, static_cast<int>(patience.count())) <= 0) {
    const char* why =
        is_stopped(pid)
            ? "it is stopped (SIGSTOP); kill -CONT lets it answer"
            : "it may be waiting where it cannot be interrupted, be stopped by a debugger, or be in another network "
              "name space";
    return std::unexpected(fmt::format("process {} does not answer: {}", pid, why));
  }
  pip::HostFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  ucred peer = {};
  socklen_t size = sizeof peer;
  const bool known = fd.get() >= 0 && getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  if (!known || peer.pid != pid) return std::unexpected(fmt::format("somebody else answered for process {}", pid));
  return fd;
}

}  // namespace

std::vector<pid_t> find_core_processes() {
  std::vector<pid_t> found;
  DIR* directory = opendir("/proc");
  while (const dirent* entry = directory != nullptr ? readdir(directory) : nullptr) {
    const int pid = std::atoi(entry->d_name);
    if (pid > 0 && has_core(pid)) found.push_back(pid);
  }
  if (directory != nullptr) closedir(directory);
  std::sort(found.begin(), found.end());
  return found;
}

std::expected<std::unique_ptr<ControlChannel>, std::string> ControlChannel::open(pid_t pid,
                                                                                 std::chrono::milliseconds patience) {
  if (std::string reason = reason_not_to(pid); !reason.empty()) return std::unexpected(std::move(reason));
  uint64_t nonce = 0;
  while (nonce == 0)
    if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce) nonce = 0;
  auto listener = listen_for(nonce);
  if (!listener) return std::unexpected(listener.error());
  if (const long asked = ask(pid, nonce); asked < 0)
    return std::unexpected(
        fmt::format("process {} cannot be signalled: {}", pid, describe(Error(static_cast<int>(-asked)))));
  auto fd = accept_from(listener->get(), pid, patience);
  if (!fd) return std::unexpected(fd.error());
  std::unique_ptr<ControlChannel> channel(new ControlChannel(std::move(*fd)));
  if (const auto greeted = channel->greet(); !greeted)
    return std::unexpected(fmt::format("process {} speaks another πp: {}", pid, describe(greeted.error())));
  return channel;
}

Result<void> ControlChannel::greet() {
  session_.connected(out_);
  OSP_TRY(flush());
  while (session_.state() == pip::SessionClient::State::greeting) OSP_TRY(receive());
  return {};
}

Result<void> ControlChannel::flush() {
  for (size_t sent = 0; sent < out_.size();) {
    const ssize_t size = send(fd_.get(), out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno != EINTR) return fail(errno);
    if (size > 0) sent += static_cast<size_t>(size);
  }
  out_.clear();
  return {};
}

Result<void> ControlChannel::receive() {
  std::array<char, 65536> buffer;
  pollfd wait = {fd_.get(), POLLIN, 0};
  while (poll(&wait, 1, idle_ms) == 0)
    if (idle_) idle_();
  const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EINTR) return {};
  if (size <= 0) return fail(size == 0 ? ECONNRESET : errno);
  OSP_TRY(session_.receive({buffer.data(), static_cast<size_t>(size)}, out_));
  return flush();
}

Result<uint64_t> ControlChannel::submit(const std::vector<pip::Message>& messages, uint16_t flags) {
  OSP_ASSIGN(const uint64_t tag, session_.submit(messages, flags, out_));
  OSP_TRY(flush());
  return tag;
}

Result<pip::Answer> ControlChannel::wait(uint64_t tag) {
  for (;;) {
    if (auto answer = session_.take(tag)) return std::move(*answer);
    OSP_TRY(receive());
  }
}

std::expected<Control, std::string> Control::open(pid_t pid) {
  auto channel = ControlChannel::open(pid, answer_within);
  if (!channel) return std::unexpected(channel.error());
  auto tree = pip::Client::create(**channel, "#p");
  if (!tree) return std::unexpected(fmt::format("process {}: {}", pid, describe(tree.error())));
  return Control{std::move(*channel), std::move(*tree)};
}

Result<std::string> Control::read(std::string_view name) const {
  pip::OpenMode mode;
  mode.read = true;
  auto opened = tree->open(name, mode);
  if (!opened) return fail(opened.error().code);
  std::string text;
  std::array<std::byte, 32768> buffer;
  for (;;) {
    OSP_ASSIGN(const size_t size, opened->file->read(text.size(), buffer));
    if (size == 0) return text;
    text.append(reinterpret_cast<const char*>(buffer.data()), size);
  }
}

}  // namespace osp::tools
