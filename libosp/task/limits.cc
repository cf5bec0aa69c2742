#include "libosp/task/limits.h"

#include "base/raw_syscall.h"
#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::task {

rlimit limit_of(const Process& process, int resource) {
  if (host::is_native()) return process.limits[static_cast<size_t>(resource)];
  rlimit limit = {};
  raw::syscall(SYS_prlimit64, 0, resource, nullptr, &limit);
  return limit;
}

Limits default_limits() {
  constexpr rlim_t stack = 8 << 20, files = 1024, most_files = 1 << 20, message_bytes = 819200;
  Limits all;
  all.fill({RLIM_INFINITY, RLIM_INFINITY});
  all[RLIMIT_STACK] = {stack, RLIM_INFINITY};
  all[RLIMIT_NOFILE] = {files, most_files};
  all[RLIMIT_CORE] = {0, RLIM_INFINITY};
  all[RLIMIT_MSGQUEUE] = {message_bytes, message_bytes};
  all[RLIMIT_NICE] = {0, 0};
  all[RLIMIT_RTPRIO] = {0, 0};
  return all;
}

}  // namespace osp::task
