#include "tests/kernel/handler.h"

#include <sys/mman.h>

#include "tests/kernel/native_calls.h"

HandlerState handler_state;

extern "C" void test_syscall_entry();

namespace {

namespace native = osp::native;

alignas(4096) char handler_stack[16384];

void handle_fault(native::Frame& frame) {
  HandlerState& state = handler_state;
  state.faults = state.faults + 1;
  state.trap = frame.trap;
  state.error = frame.error;
  state.address = frame.address;
  state.rip = frame.rip;
  if (state.map_at != 0) osp::host::map_at(state.map_at, 4096, PROT_READ | PROT_WRITE);
  if (state.go_on_at != 0) frame.rip = state.go_on_at;
}

void handle_tick() {
  HandlerState& state = handler_state;
  state.ticks = state.ticks + 1;
  if (state.raise != nullptr) *state.raise = 1;
  if (state.tick_again_ns != 0) {
    const auto now = static_cast<uint64_t>(osp::host::monotonic_ns());
    native_calls::call(native::timer_set, now + state.tick_again_ns);
  }
}

extern "C" [[noreturn]] void test_handler(native::Frame* frame) {
  switch (frame->event) {
    case native::Event::fault:
      handle_fault(*frame);
      break;
    case native::Event::tick:
      handle_tick();
      break;
    case native::Event::message:
      handler_state.messages = handler_state.messages + 1;
      break;
  }
  for (;;) native_calls::call(native::upcall_return, frame);
}

}  // namespace

void begin_upcalls() {
  handler_state = {};
  const native::Upcall upcall = {reinterpret_cast<uint64_t>(test_handler),
                                 reinterpret_cast<uint64_t>(handler_stack + sizeof handler_stack),
                                 reinterpret_cast<uint64_t>(test_syscall_entry)};
  native_calls::call(native::upcall_set, &upcall);
}

void end_upcalls() { native_calls::call(native::upcall_set, nullptr); }
