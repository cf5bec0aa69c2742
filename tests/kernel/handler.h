#pragma once

#include <cstdint>

#include "libosp/host/native.h"

// An upcall handler that counts what it is told and answers faults. It is compiled for general registers only.
struct HandlerState {
  volatile int ticks, messages, faults;
  volatile uint64_t trap, error, address, rip;  // of the last fault
  volatile uint64_t go_on_at;                   // where a fault is left to; 0: it is tried again
  volatile uint64_t map_at;                     // a page that is mapped at a fault; 0: none
  volatile int* volatile raise;                 // becomes 1 at a tick
  volatile uint64_t tick_again_ns;              // a tick sets the timer so much later; 0: not
};
extern HandlerState handler_state;

// Makes the current thread take upcalls, on a stack of the test's; and no more.
void begin_upcalls();
void end_upcalls();
