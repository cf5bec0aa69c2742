#include "tools/mount/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/fd_limit.h"
#include "base/log.h"
#include "tools/mount/unmount.h"

namespace osp::fuse {
namespace {

constexpr int64_t give_up_after_ms = 60'000;  // without the server

// Blocked, so that they are read; in all threads that come later, too.
pip::HostFd watch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return pip::HostFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool is_on_path(const std::string& program) {
  const char* const path = getenv("PATH");
  std::string folders = fmt::format("/usr/bin:/bin:{}", path != nullptr ? path : "");
  for (size_t at = 0; at <= folders.size();) {
    const size_t end = std::min(folders.find(':', at), folders.size());
    if (access(fmt::format("{}/{}", folders.substr(at, end - at), program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

// What is missing on this machine. Empty: nothing.
std::string missing() {
  constexpr const char* device = "/dev/fuse";
  if (access(device, F_OK) != 0)
    return fmt::format("there is no {}: load the kernel's module (modprobe fuse); a container needs --device {}",
                       device, device);
  if (geteuid() == 0) return {};
  if (access(device, R_OK | W_OK) != 0)
    return fmt::format("{}: {}; everybody may use it where udev made it (as root: chmod 666 {})", device,
                       strerror(errno), device);
  if (!is_on_path("fusermount3")) return "only root can mount without fusermount3: install the package fuse3";
  return {};
}

std::string advice(int code, const Door::Options& options) {
  if (code == EPERM && geteuid() == 0) return "; a container needs --cap-add SYS_ADMIN";
  if (options.allow_other && geteuid() != 0)
    return "; --allow-other needs the line 'user_allow_other' in /etc/fuse.conf";
  return {};
}

}  // namespace

bool Service::has_signal() const {
  pollfd signal = {.fd = signals_.get(), .events = POLLIN, .revents = 0};
  return poll(&signal, 1, 0) > 0;
}

std::expected<void, std::string> Service::connect(const pip::Url& url) {
  std::expected<std::unique_ptr<Remote>, std::string> made;
  bool is_done = false;
  keeper::jobs().start([&] {
    made = Remote::create(*loop_, url);
    is_done = true;
  });
  loop_->run([&] { return is_done || has_signal(); });
  if (!is_done) _exit(EXIT_FAILURE);  // the job still waits for the server, which has no session of ours yet
  if (!made) return std::unexpected(made.error());
  remote_ = std::move(*made);
  return {};
}

// What has been begun is ended: the mount, and then the session.
std::expected<void, std::string> Service::start(const pip::Url& url, const std::string& directory,
                                                const Door::Options& options) {
  auto started = begin(url, directory, options);
  if (started) return started;
  door_.reset();
  report_.reset();
  remote_.reset();
  return started;
}

std::expected<void, std::string> Service::begin(const pip::Url& url, const std::string& directory,
                                                const Door::Options& options) {
  directory_ = directory;
  if (const std::string what = missing(); !what.empty())
    return std::unexpected(fmt::format("cannot mount on '{}': {}", directory, what));
  take_all_fds();
  signals_ = watch_signals();
  auto loop = keeper::Loop::create();
  if (!loop) return std::unexpected(fmt::format("cannot start: {}", describe(loop.error())));
  loop_ = std::move(*loop);
  if (auto connected = connect(url); !connected) return connected;
  auto report = EndReport::create(*loop_);
  if (!report) return std::unexpected(fmt::format("cannot start: {}", describe(report.error())));
  report_ = std::move(*report);
  Door::Options all = options;
  all.report = report_->name();
  std::string why;
  auto door = Door::create(*loop_, *remote_, directory, all, why);
  if (!door)
    return std::unexpected(fmt::format("cannot mount on '{}': {}{}", directory,
                                       why.empty() ? describe(door.error()) : why, advice(door.error().code, options)));
  door_ = std::move(*door);
  if (const auto mounted = mount_on(directory)) mount_id_ = mounted->id;
  if (const auto opened = door_->open(); !opened) return std::unexpected(describe(opened.error()));
  return {};
}

// Unmounting runs another program where we are not root, and waits for it, while the kernel may ask us.
void Service::hear_signals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (is_leaving_->exchange(true)) continue;
    std::thread([directory = directory_, id = mount_id_, is_leaving = is_leaving_] {
      if (!detach(directory, id)) is_leaving->store(false);
    }).detach();
  }
}

bool Service::is_all_done() const { return has_closed_ && door_->is_idle() && !remote_->is_behind(); }

bool Service::is_over() {
  if (!door_->is_closed()) return false;
  const int64_t now_ms = keeper::now_ms();
  if (remote_->is_well()) well_ms_ = now_ms;
  if (closed_ms_ == 0) {
    closed_ms_ = well_ms_ = now_ms;
    keeper::jobs().start([this] {
      door_->close_files();
      has_closed_ = true;
    });
    return false;
  }
  return is_all_done() || now_ms - well_ms_ > give_up_after_ms || now_ms - closed_ms_ > most_patience_ms;
}

// For a person. Empty: nothing.
std::string Service::lost() {
  if (!is_all_done()) {
    constexpr size_t most_names = 5;
    std::vector<std::string> paths = remote_->behind();
    const size_t more = paths.size() - std::min(paths.size(), most_names);
    paths.resize(paths.size() - more);
    for (std::string& path : paths) path = fmt::format("'{}'", path);
    if (more > 0) paths.push_back(fmt::format("{} more", more));
    return fmt::format("the server does not answer, and may not have what was written last{}{}",
                       paths.empty() ? "" : " to ", fmt::join(paths, ", "));
  }
  const Failure failure = door_->take_failure();
  if (failure.error == 0) return {};
  return fmt::format("not all that was written is on the server: '{}': {}", failure.path,
                     describe(Error(failure.error)));
}

int Service::serve() {
  if (const auto heard = loop_->watch(signals_.get(), EPOLLIN, [this](uint32_t) { hear_signals(); }); !heard)
    log::warn("mount", "signals end it without unmounting: {}", describe(heard.error()));
  loop_->run([this] { return is_over(); });
  const std::string lost = this->lost();
  if (!lost.empty()) log::error("mount", "{}", lost);
  report_->tell(lost);
  if (!is_all_done()) _exit(EXIT_FAILURE);  // what still waits is left as it is
  door_.reset();
  remote_.reset();
  return lost.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace osp::fuse
