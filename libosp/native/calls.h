#pragma once

#include "libosp/linux/call.h"

// The handlers of calls.def: system calls that on Linux are the host's, in whole or in part.
namespace osp::native {

using linux::Call;

// ENOSYS, and logged once.
inline constexpr linux::Handler not_served = nullptr;

long sys_accept(Call& call);
long sys_advice(Call& call);
long sys_alarm(Call& call);
long sys_bind(Call& call);
long sys_capget(Call& call);
long sys_clock_getres(Call& call);
long sys_clock_gettime(Call& call);
long sys_clone(Call& call);
long sys_close(Call& call);
long sys_close_range(Call& call);
long sys_connect(Call& call);
long sys_copy_file_range(Call& call);
long sys_dup(Call& call);
long sys_dup3(Call& call);
long sys_epoll_create(Call& call);
long sys_epoll_ctl(Call& call);
long sys_epoll_pwait(Call& call);
long sys_epoll_pwait2(Call& call);
long sys_epoll_wait(Call& call);
long sys_eventfd(Call& call);
long sys_exit(Call& call);
long sys_exit_group(Call& call);
long sys_fcntl(Call& call);
long sys_flock(Call& call);
long sys_fork(Call& call);
long sys_getcpu(Call& call);
long sys_getegid(Call& call);
long sys_geteuid(Call& call);
long sys_getgid(Call& call);
long sys_getgroups(Call& call);
long sys_getitimer(Call& call);
long sys_getpeername(Call& call);
long sys_getpgid(Call& call);
long sys_getpgrp(Call& call);
long sys_getppid(Call& call);
long sys_getpriority(Call& call);
long sys_getrandom(Call& call);
long sys_getresgid(Call& call);
long sys_getresuid(Call& call);
long sys_getrlimit(Call& call);
long sys_getrusage(Call& call);
long sys_getsid(Call& call);
long sys_getsockname(Call& call);
long sys_getsockopt(Call& call);
long sys_gettimeofday(Call& call);
long sys_getuid(Call& call);
long sys_ioctl(Call& call);
long sys_kill(Call& call);
long sys_listen(Call& call);
long sys_membarrier(Call& call);
long sys_memfd_create(Call& call);
long sys_mincore(Call& call);
long sys_mlock(Call& call);
long sys_mlockall(Call& call);
long sys_msync(Call& call);
long sys_pipe(Call& call);
long sys_poll(Call& call);
long sys_ppoll(Call& call);
long sys_prctl(Call& call);
long sys_prlimit64(Call& call);
long sys_pselect6(Call& call);
long sys_readv(Call& call);
long sys_recvfrom(Call& call);
long sys_recvmmsg(Call& call);
long sys_recvmsg(Call& call);
long sys_rt_sigqueueinfo(Call& call);
long sys_sched_getaffinity(Call& call);
long sys_sched_getparam(Call& call);
long sys_sched_getscheduler(Call& call);
long sys_sched_priority(Call& call);
long sys_sched_setaffinity(Call& call);
long sys_sched_setscheduler(Call& call);
long sys_select(Call& call);
long sys_sendfile(Call& call);
long sys_sendmmsg(Call& call);
long sys_sendmsg(Call& call);
long sys_sendto(Call& call);
long sys_setgid(Call& call);
long sys_setgroups(Call& call);
long sys_sethostname(Call& call);
long sys_setitimer(Call& call);
long sys_setpgid(Call& call);
long sys_setpriority(Call& call);
long sys_setregid(Call& call);
long sys_setresgid(Call& call);
long sys_setresuid(Call& call);
long sys_setreuid(Call& call);
long sys_setrlimit(Call& call);
long sys_setsid(Call& call);
long sys_setsockopt(Call& call);
long sys_setuid(Call& call);
long sys_shutdown(Call& call);
long sys_socket(Call& call);
long sys_socketpair(Call& call);
long sys_splice(Call& call);
long sys_sync(Call& call);
long sys_sysinfo(Call& call);
long sys_tee(Call& call);
long sys_tgkill(Call& call);
long sys_time(Call& call);
long sys_timer_create(Call& call);
long sys_timer_delete(Call& call);
long sys_timer_getoverrun(Call& call);
long sys_timer_gettime(Call& call);
long sys_timer_settime(Call& call);
long sys_timerfd_create(Call& call);
long sys_timerfd_gettime(Call& call);
long sys_timerfd_settime(Call& call);
long sys_times(Call& call);
long sys_uname(Call& call);
long sys_vfork(Call& call);
long sys_vmsplice(Call& call);
long sys_wait4(Call& call);
long sys_waitid(Call& call);
long sys_writev(Call& call);

}  // namespace osp::native
