#include "libosp/file/keeper_link.h"

#include <linux/futex.h>
#include <time.h>

#include <algorithm>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/task/blocking.h"
#include "libosp/task/process.h"
#include "pip/shm_server.h"

namespace osp::keeper {
namespace {

constexpr long look_every_s = 1;  // whether the keeper is still there

// Whether a signal that ends the process waits for the thread.
bool is_fatal(const task::Thread& thread) {
  const signal::ProcessSignals& process = thread.process.signals;
  signal::Mask ready = thread.process.deliverable(thread);
  for (int signo = 1; ready != 0 && signo <= signal::last_signal; ++signo, ready >>= 1U)
    if ((ready & 1U) != 0 && process.actions[static_cast<size_t>(signo)].handler == 0 &&
        signal::default_of(signo) == signal::Default::terminate)
      return true;
  return false;
}

}  // namespace

void Link::ring() {
  const uint64_t one = 1;
  raw::write(doorbell_, &one, sizeof one);
}

bool Link::is_gone() const {
  pollfd socket{.fd = socket_, .events = 0, .revents = 0};
  return raw::syscall(SYS_poll, &socket, 1, 0) > 0 && (socket.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

Result<void> Link::wait(pip::shm::Header& header, uint32_t seen) {
  if (gone_) return fail(EIO);
  task::Process& process = task::process();
  task::Thread* const thread = process.scheduler.current();
  const auto waited =
      exclusive_ || thread == nullptr || process.single_threaded() ? block(header, seen) : park(header, seen, *thread);
  if (waited || waited.error().code != ETIMEDOUT) return waited;
  if (is_gone()) end();
  return gone_ ? fail(EIO) : Result<void>{};
}

void Link::end() {
  if (!std::exchange(gone_, true))
    log::error("keeper", "process {}: the keeper has ended; files of remote servers and of #m answer EIO from now on",
               raw::getpid());
}

Result<void> Link::block(pip::shm::Header& header, uint32_t seen) {
  task::Process& process = task::process();
  header.sleeping.store(1);
  if (header.replies.load() != seen) return {};
  const timespec limit = {look_every_s, 0};
  // A stop that was requested keeps blocking calls from blocking; the file operation must still come to its end.
  const bool plain = exclusive_ || process.stop_requested();
  const long result =
      plain ? raw::syscall(SYS_futex, &header.replies, FUTEX_WAIT, seen, &limit, 0, 0)
            : task::blocking_call(SYS_futex, raw::arg(&header.replies), FUTEX_WAIT, seen, raw::arg(&limit), 0, 0);
  if (result == -ETIMEDOUT) return fail(ETIMEDOUT);
  if (!trap::was_interrupted(result) || exclusive_) return {};
  process.collect_signals();
  const task::Thread* const thread = process.scheduler.current();
  return thread != nullptr && is_fatal(*thread) ? fail(EINTR) : Result<void>{};
}

Result<void> Link::park(pip::shm::Header& header, uint32_t seen, task::Thread& thread) {
  header.polling.store(1);
  if (header.replies.load() != seen) return {};
  pollfd event{.fd = event_, .events = POLLIN, .revents = 0};
  parked_.push_back(&thread);
  const uint64_t deadline = task::host_now_ns() + look_every_s * 1'000'000'000;
  const task::Wake why = thread.process.scheduler.wait(thread, std::span(&event, 1), deadline, false);
  std::erase(parked_, &thread);
  uint64_t count = 0;
  raw::read(event_, &count, sizeof count);
  // The event was for all who wait.
  for (task::Thread* other : parked_) thread.process.scheduler.wake(*other, task::Wake::woken);
  if (thread.exiting || is_fatal(thread)) return fail(EINTR);
  return why == task::Wake::timeout ? fail(ETIMEDOUT) : Result<void>{};
}

Result<std::vector<int>> Link::receive(uint32_t serial) {
  while (!arrived_.contains(serial)) {
    OSP_ASSIGN(pip::ReceivedNotice notice, pip::receive_notice(socket_, serial == 0));
    for (int& fd : notice.fds) fd = static_cast<int>(file::keep_fd(fd));
    arrived_[notice.serial] = std::move(notice.fds);
  }
  auto fds = std::move(arrived_[serial]);
  arrived_.erase(serial);
  if (std::ranges::any_of(fds, [](int fd) { return fd < 0; })) return fail(EMFILE);
  return fds;
}

Result<int> Link::receive_fd(uint32_t serial) {
  OSP_ASSIGN(const std::vector<int> fds, receive(serial));
  return fds.size() == 1 ? Result<int>(fds[0]) : fail(EIO);
}

Result<uint32_t> Link::send(const std::vector<int>& fds) {
  OSP_TRY(pip::send_notice(socket_, ++last_sent_, fds));
  return last_sent_;
}

void Link::close_fd(int fd) { file::drop_fd(fd); }

void Link::replace(int socket, int event) {
  file::drop_fd(std::exchange(socket_, socket));
  file::drop_fd(std::exchange(event_, event));
  if (socket_ < 0) end();
  parked_.clear();
  for (const auto& [serial, fds] : std::exchange(arrived_, {}))
    for (const int fd : fds) file::drop_fd(fd);
}

}  // namespace osp::keeper
