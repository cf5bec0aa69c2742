#include "pip/udp/datagram_port.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace osp::pip::udp {
namespace {

constexpr int64_t second_us = 1'000'000;

}  // namespace

int64_t DatagramPort::now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * second_us + now.tv_nsec / 1000;
}

Result<void> DatagramPort::watch(int fd, uint32_t events, int operation) {
  epoll_event event{.events = events, .data = {.fd = fd}};
  return epoll_ctl(epoll_.get(), operation, fd, &event) == 0 ? Result<void>{} : fail(errno);
}

Result<std::unique_ptr<DatagramPort>> DatagramPort::create(DatagramSocket socket) {
  std::unique_ptr<DatagramPort> made(new DatagramPort(std::move(socket)));
  made->epoll_ = HostFd(epoll_create1(EPOLL_CLOEXEC));
  made->timer_ = HostFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (made->epoll_.get() < 0 || made->timer_.get() < 0) return fail(errno);
  OSP_TRY(made->watch(made->timer_.get(), EPOLLIN, EPOLL_CTL_ADD));
  OSP_TRY(made->watch(made->socket_.fd(), EPOLLIN, EPOLL_CTL_ADD));
  return made;
}

Result<void> DatagramPort::change(DatagramSocket socket) {
  OSP_TRY(watch(socket.fd(), EPOLLIN, EPOLL_CTL_ADD));
  socket_ = std::move(socket);  // closed, the old one is watched no more
  is_full_ = false;
  return {};
}

void DatagramPort::begin() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(timer_.get(), &count, sizeof count);
}

void DatagramPort::rest(int64_t deadline_us, bool is_full) {
  itimerspec when{};
  if (deadline_us != INT64_MAX) {
    const int64_t at_us = std::max<int64_t>(deadline_us, 1);  // zero would turn it off
    when.it_value = {.tv_sec = at_us / second_us, .tv_nsec = at_us % second_us * 1000};
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  if (std::exchange(is_full_, is_full) == is_full) return;
  (void)watch(socket_.fd(), EPOLLIN | (is_full ? EPOLLOUT : 0U), EPOLL_CTL_MOD);  // both are there
}

}  // namespace osp::pip::udp
