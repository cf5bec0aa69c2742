#include "libosp/task/poller.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/task/process.h"
#include "libosp/trap/frame.h"

namespace osp::task {
namespace {

constexpr uint32_t always = EPOLLERR | EPOLLHUP;

uint32_t bits(short events) { return static_cast<uint16_t>(events); }

}  // namespace

Poller::Waiter::Waiter(Poller& poller, Thread& thread, std::span<const pollfd> fds)
    : poller_(poller), thread_(thread), fds_(fds) {
  ++poller_.waiting_;
  if (!poller_.open()) is_ready_ = true;
  for (const pollfd& one : fds_) {
    if (one.fd < 0) continue;
    poller_.list_of(one.fd).push_back(this);
    if (!is_ready_ && !poller_.arm(one.fd)) is_ready_ = true;
  }
}

Poller::Waiter::~Waiter() {
  for (const pollfd& one : fds_)
    if (one.fd >= 0) std::erase(poller_.list_of(one.fd), this);
  --poller_.waiting_;
}

Poller::List& Poller::list_of(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= by_fd_.size()) by_fd_.resize(index + 1);
  return by_fd_[index];
}

bool Poller::open() {
  if (epoll_ >= 0) return true;
  const long epoll = file::keep_fd(static_cast<int>(raw::syscall(SYS_epoll_create1, EPOLL_CLOEXEC)));
  const long bell = file::keep_fd(static_cast<int>(raw::syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK)));
  epoll_event event = {.events = EPOLLIN, .data = {.fd = static_cast<int>(bell)}};
  if (epoll >= 0 && bell >= 0 && raw::syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, bell, &event) == 0) {
    epoll_ = static_cast<int>(epoll), bell_ = static_cast<int>(bell);
    return true;
  }
  if (epoll >= 0) file::drop_fd(static_cast<int>(epoll));
  if (bell >= 0) file::drop_fd(static_cast<int>(bell));
  return false;
}

// The number may have become another file's since it was entered: then the host does not know it.
bool Poller::arm(int fd) {
  uint32_t wanted = EPOLLONESHOT;
  for (const Waiter* waiter : list_of(fd))
    for (const pollfd& one : waiter->fds_)
      if (one.fd == fd) wanted |= bits(one.events);
  epoll_event event = {.events = wanted, .data = {.fd = fd}};
  long result = raw::syscall(SYS_epoll_ctl, epoll_, EPOLL_CTL_MOD, fd, &event);
  if (result == -ENOENT) result = raw::syscall(SYS_epoll_ctl, epoll_, EPOLL_CTL_ADD, fd, &event);
  return result == 0;
}

void Poller::look(int64_t timeout_ns, const signal::Mask* mask, Events& found) {
  const timespec timeout = {timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  const long room = static_cast<long>(found.items.size());
  found.count = OSP_NOT_BEGUN;
  if (timeout_ns != 0)
    found.count = osp_blocking_syscall(SYS_epoll_pwait2, epoll_, raw::arg(found.items.data()), room,
                                       timeout_ns < 0 ? 0 : raw::arg(&timeout), raw::arg(mask), 8);
  // Something is pending: there must be no wait, but a look, since a stop waits for threads that wait for these.
  if (found.count == OSP_NOT_BEGUN)
    found.count = raw::syscall(SYS_epoll_pwait, epoll_, found.items.data(), room, 0, 0, 8);
}

bool Poller::settle(const Events& events) {
  bool has_rung = false;
  for (long i = 0; i < events.count; ++i) {
    const epoll_event& event = events.items[static_cast<size_t>(i)];
    if (event.data.fd == bell_) {
      has_rung = true;
    } else {
      wake_for(event.data.fd, event.events);
    }
  }
  return has_rung;
}

void Poller::silence_bell() {
  uint64_t count = 0;
  raw::read(bell_, &count, sizeof count);
}

// Those that want something else of the fd go on waiting, and its entry has been used up.
void Poller::wake_for(int fd, uint32_t events) {
  bool others = false;
  for (Waiter* waiter : list_of(fd)) {
    const bool concerned = std::ranges::any_of(
        waiter->fds_, [&](const pollfd& one) { return one.fd == fd && (events & (bits(one.events) | always)) != 0; });
    if (concerned) {
      waiter->thread_.process.scheduler.wake(waiter->thread_, Wake::woken);
    } else {
      others = true;
    }
  }
  if (others) arm(fd);
}

void Poller::ring() {
  const uint64_t one = 1;
  if (bell_ >= 0) raw::write(bell_, &one, sizeof one);
}

void Poller::after_fork() {
  if (epoll_ >= 0) file::drop_fd(epoll_);
  if (bell_ >= 0) file::drop_fd(bell_);
  epoll_ = bell_ = -1;
  by_fd_.clear();
  waiting_ = 0;
}

}  // namespace osp::task
