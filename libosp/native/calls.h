#pragma once

#include "libosp/linux/call.h"

// The handlers of calls.def: system calls that on Linux are the host's, in whole or in part.
namespace osp::native {

long sys_capget(linux::Call& call);
long sys_clock_getres(linux::Call& call);
long sys_clock_gettime(linux::Call& call);
long sys_clone(linux::Call& call);
long sys_exit(linux::Call& call);
long sys_exit_group(linux::Call& call);
long sys_fork(linux::Call& call);
long sys_getcpu(linux::Call& call);
long sys_getegid(linux::Call& call);
long sys_geteuid(linux::Call& call);
long sys_getgid(linux::Call& call);
long sys_getgroups(linux::Call& call);
long sys_getpgid(linux::Call& call);
long sys_getpgrp(linux::Call& call);
long sys_getppid(linux::Call& call);
long sys_getpriority(linux::Call& call);
long sys_getrandom(linux::Call& call);
long sys_getresgid(linux::Call& call);
long sys_getresuid(linux::Call& call);
long sys_getrlimit(linux::Call& call);
long sys_getrusage(linux::Call& call);
long sys_getsid(linux::Call& call);
long sys_gettimeofday(linux::Call& call);
long sys_getuid(linux::Call& call);
long sys_kill(linux::Call& call);
long sys_membarrier(linux::Call& call);
long sys_mincore(linux::Call& call);
long sys_mlock(linux::Call& call);
long sys_mlockall(linux::Call& call);
long sys_msync(linux::Call& call);
long sys_prctl(linux::Call& call);
long sys_prlimit64(linux::Call& call);
long sys_rt_sigqueueinfo(linux::Call& call);
long sys_sched_getaffinity(linux::Call& call);
long sys_sched_getparam(linux::Call& call);
long sys_sched_getscheduler(linux::Call& call);
long sys_sched_priority(linux::Call& call);
long sys_sched_setaffinity(linux::Call& call);
long sys_sched_setscheduler(linux::Call& call);
long sys_setgid(linux::Call& call);
long sys_setgroups(linux::Call& call);
long sys_sethostname(linux::Call& call);
long sys_setpgid(linux::Call& call);
long sys_setpriority(linux::Call& call);
long sys_setregid(linux::Call& call);
long sys_setresgid(linux::Call& call);
long sys_setresuid(linux::Call& call);
long sys_setreuid(linux::Call& call);
long sys_setrlimit(linux::Call& call);
long sys_setsid(linux::Call& call);
long sys_setuid(linux::Call& call);
long sys_sysinfo(linux::Call& call);
long sys_tgkill(linux::Call& call);
long sys_time(linux::Call& call);
long sys_times(linux::Call& call);
long sys_uname(linux::Call& call);
long sys_vfork(linux::Call& call);
long sys_wait4(linux::Call& call);
long sys_waitid(linux::Call& call);

}  // namespace osp::native
