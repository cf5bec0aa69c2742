#include "libosp/host/side.h"

#include <signal.h>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"
#include "libosp/host/native.h"

namespace osp::host {
namespace {

constexpr int tick_signal = 62, tick_mark = 0x74696b;  // trap/raw_handler.h

bool native_side = false;

}  // namespace

bool is_native() { return native_side; }
void set_native() { native_side = true; }

void set_tick(uint64_t after_ns, int& timer, int host_tid) {
  if (native_side) {
    raw::syscall(native::timer_set, static_cast<uint64_t>(monotonic_ns()) + after_ns);
    return;
  }
  if (timer < 0) {
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event._sigev_un._tid = host_tid;
    event.sigev_signo = tick_signal, event.sigev_value.sival_int = tick_mark;
    raw::syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
  }
  const itimerspec when = {{0, 0}, {0, static_cast<long>(after_ns)}};
  raw::syscall(SYS_timer_settime, timer, 0, &when, 0);
}

}  // namespace osp::host
