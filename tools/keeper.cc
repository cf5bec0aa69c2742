// osp-keeper: holds an environment's sessions, memory trees and page cache. Started by the core, with its socket as
// fd 3.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

#include "base/fd_limit.h"
#include "base/log.h"
#include "tools/keeper_service.h"

namespace {

constexpr int control_socket = 3;
constexpr uint64_t default_cache_mib = 512;

uint64_t cache_limit() {
  const char* text = getenv("OSP_CACHE_MIB");
  const uint64_t mib = text != nullptr ? strtoull(text, nullptr, 10) : 0;
  return (mib != 0 ? mib : default_cache_mib) << 20U;
}

}  // namespace

int main() {
  using namespace osp;
  if (const char* spec = getenv("OSP_LOG")) log::configure(spec);
  signal(SIGPIPE, SIG_IGN);
  take_all_fds();
  auto service = keeper::Service::create(cache_limit());
  if (!service) {
    log::error("keeper", "cannot start: {}", describe(service.error()));
    return EXIT_FAILURE;
  }
  if (auto begun = (*service)->begin(pip::HostFd(control_socket)); !begun) {
    log::error("keeper", "is started by the core, not by itself: {}", describe(begun.error()));
    return EXIT_FAILURE;
  }
  (*service)->run();
  return EXIT_SUCCESS;
}
