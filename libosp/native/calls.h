#pragma once

#include "libosp/linux/call.h"

// The handlers of calls.def: system calls that on Linux are the host's, in whole or in part.
namespace osp::native {

using linux::Call;

long sys_close(Call& call);
long sys_close_range(Call& call);
long sys_dup(Call& call);
long sys_dup3(Call& call);
long sys_epoll_create(Call& call);
long sys_epoll_ctl(Call& call);
long sys_epoll_pwait(Call& call);
long sys_epoll_pwait2(Call& call);
long sys_epoll_wait(Call& call);
long sys_eventfd(Call& call);
long sys_fcntl(Call& call);
long sys_ioctl(Call& call);
long sys_pipe(Call& call);
long sys_poll(Call& call);
long sys_ppoll(Call& call);
long sys_pselect6(Call& call);
long sys_readv(Call& call);
long sys_select(Call& call);
long sys_timerfd_create(Call& call);
long sys_timerfd_gettime(Call& call);
long sys_timerfd_settime(Call& call);
long sys_writev(Call& call);

}  // namespace osp::native
