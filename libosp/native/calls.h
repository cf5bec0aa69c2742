#pragma once

#include "libosp/linux/call.h"

// The handlers of calls.def: system calls that on Linux are the host's, in whole or in part.
namespace osp::native {

using linux::Call;

// ENOSYS, and logged once.
inline constexpr linux::Handler not_served = nullptr;

long sys_advice(Call& call);
long sys_close(Call& call);
long sys_close_range(Call& call);
long sys_copy_file_range(Call& call);
long sys_dup(Call& call);
long sys_dup3(Call& call);
long sys_epoll_create(Call& call);
long sys_epoll_ctl(Call& call);
long sys_epoll_pwait(Call& call);
long sys_epoll_pwait2(Call& call);
long sys_epoll_wait(Call& call);
long sys_eventfd(Call& call);
long sys_fcntl(Call& call);
long sys_flock(Call& call);
long sys_ioctl(Call& call);
long sys_memfd_create(Call& call);
long sys_pipe(Call& call);
long sys_poll(Call& call);
long sys_ppoll(Call& call);
long sys_pselect6(Call& call);
long sys_readv(Call& call);
long sys_select(Call& call);
long sys_sendfile(Call& call);
long sys_splice(Call& call);
long sys_sync(Call& call);
long sys_tee(Call& call);
long sys_timerfd_create(Call& call);
long sys_timerfd_gettime(Call& call);
long sys_timerfd_settime(Call& call);
long sys_vmsplice(Call& call);
long sys_writev(Call& call);

}  // namespace osp::native
