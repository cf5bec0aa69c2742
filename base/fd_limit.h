#pragma once

#include <sys/resource.h>

namespace osp {

// A server holds fds for many clients: it may have as many as its user can grant itself (setrlimit(2)).
inline void take_all_fds() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace osp
