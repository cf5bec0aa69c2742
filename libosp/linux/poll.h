#pragma once

#include <poll.h>

#include <span>
#include <vector>

#include "libosp/linux/call.h"

// poll(2), select(2), epoll_wait(2): their arguments, masks and deadlines, whoever does the waiting.
namespace osp::linux {

inline constexpr uint64_t no_deadline = 0, at_once = 1;
// How long it is until a deadline (CLOCK_MONOTONIC of the host, ns).
timespec time_left(uint64_t deadline);
bool over(uint64_t deadline);

// What of the host's fds is ready now, as poll(2) with no time to wait: but never EINTR, which the host answers where a
// signal of the core's comes just then.
long poll_now(std::span<pollfd> fds);

// Waits until one of the fds is ready, and fills in revents: how many are, minus an errno, or restart_block.
using PollUntil = long (*)(Call& call, std::vector<pollfd>& fds, uint64_t deadline);
long poll_by(Call& call, PollUntil wait);
long ppoll_by(Call& call, PollUntil wait);
long select_by(Call& call, PollUntil wait);
long pselect6_by(Call& call, PollUntil wait);

// The same for epoll_wait(2) with the call's own arguments.
using EpollUntil = long (*)(Call& call, uint64_t deadline);
long epoll_wait_by(Call& call, EpollUntil wait);
long epoll_pwait_by(Call& call, EpollUntil wait);
long epoll_pwait2_by(Call& call, EpollUntil wait);

}  // namespace osp::linux
