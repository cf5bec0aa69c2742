#include <cerrno>
#include <cstring>

#include "tests/kernel/check.h"
#include "tests/kernel/handler.h"
#include "tests/kernel/native_calls.h"

extern "C" {
extern const char test_program[], test_program_end[];
extern uint64_t test_reflected;
long test_keep_registers(volatile int* word);
}

namespace {

namespace host = osp::host;
namespace native = osp::native;
using native_calls::call;

constexpr uintptr_t place = 0x1000'0000;  // outside of the window
constexpr size_t page = 4096;
constexpr uint64_t page_fault = 14, division = 0, error_present = 1, error_write = 2, error_execute = 16;

void a_tick_comes_and_keeps_all_registers() {
  begin_upcalls();
  for (int round = 0; round < 20; ++round) {
    volatile int ticked = 0;
    handler_state.raise = &ticked;
    EXPECT(call(native::timer_set, native_calls::in_ms(1)) == 0);
    EXPECT(test_keep_registers(&ticked) == 1);
  }
  EXPECT(handler_state.ticks == 20);
  end_upcalls();
}

void a_tick_is_not_early_and_can_be_taken_back() {
  begin_upcalls();
  volatile int ticked = 0;
  handler_state.raise = &ticked;
  const uint64_t deadline = native_calls::in_ms(5);
  call(native::timer_set, deadline);
  while (ticked == 0) {
  }
  EXPECT(static_cast<uint64_t>(host::monotonic_ns()) >= deadline);
  const uint64_t second = native_calls::in_ms(150);
  call(native::timer_set, second);
  EXPECT(call(native::timer_set, 0) == 0);
  EXPECT(host::sleep_until(static_cast<int64_t>(second + 10'000'000)) == 0);
  EXPECT(handler_state.ticks == 1);
  end_upcalls();
}

void a_tick_ends_a_wait() {
  begin_upcalls();
  handler_state.tick_again_ns = 3'000'000;  // again and again: the first may come before the wait
  call(native::timer_set, native_calls::in_ms(3));
  EXPECT(host::sleep_until(static_cast<int64_t>(native_calls::in_ms(60'000))) == -EINTR);
  std::atomic<uint32_t> word = 0;
  EXPECT(host::wait_on(word, 0, nullptr) == -EINTR);
  native::Message message;
  const int queue = native_calls::queue(1);
  EXPECT(native_calls::receive(queue, message) == -EINTR);
  EXPECT(handler_state.ticks >= 3);
  handler_state.tick_again_ns = 0;
  call(native::timer_set, 0);
  native_calls::close(queue);
  end_upcalls();
}

void many_ticks_come() {
  begin_upcalls();
  handler_state.tick_again_ns = 100'000;
  call(native::timer_set, native_calls::in_ms(1));
  while (handler_state.ticks < 200) {
  }
  handler_state.tick_again_ns = 0;
  call(native::timer_set, 0);
  EXPECT(handler_state.ticks >= 200);
  end_upcalls();
}

void a_fault_is_told_and_can_be_mended() {
  begin_upcalls();
  auto* word = reinterpret_cast<volatile uint64_t*>(place + 8);
  handler_state.map_at = place;
  *word = 77;
  EXPECT(*word == 77 && handler_state.faults == 1);
  EXPECT(handler_state.trap == page_fault && handler_state.address == place + 8);
  EXPECT((handler_state.error & (error_present | error_write)) == error_write);
  EXPECT(host::unmap(place, page) == 0);
  end_upcalls();
}

// `act` says itself where a fault of its own goes on.
void faults_of(const char* what, uint64_t trap, void (*act)()) {
  handler_state.faults = 0;
  act();
  if (handler_state.faults != 1 || handler_state.trap != trap) expect(false, what, __FILE__, __LINE__);
}

[[gnu::noinline]] void divide() {
  asm volatile(
      "lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t xor %%ecx, %%ecx\n\t xor %%eax, %%eax\n\t xor %%edx, %%edx\n\t"
      "div %%ecx\n\t 1:"
      : "=m"(handler_state.go_on_at)
      :
      : "rax", "rcx", "rdx", "memory");
}

[[gnu::noinline]] void be_undefined() {
  asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t ud2\n\t 1:"
               : "=m"(handler_state.go_on_at)
               :
               : "rax", "memory");
}

[[gnu::noinline]] void touch_the_kernel() {
  asm volatile(
      "lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t movabs $0xffffffff80200000, %%rcx\n\t mov (%%rcx), %%rcx\n\t 1:"
      : "=m"(handler_state.go_on_at)
      :
      : "rax", "rcx", "memory");
}

[[gnu::noinline]] void be_privileged() {
  asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t hlt\n\t 1:"
               : "=m"(handler_state.go_on_at)
               :
               : "rax", "memory");
}

[[gnu::noinline]] void be_not_canonical() {
  asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t movabs $0x800000000000, %%rcx\n\t mov (%%rcx), %%rcx\n\t 1:"
               : "=m"(handler_state.go_on_at)
               :
               : "rax", "rcx", "memory");
}

void all_kinds_of_faults_are_told() {
  constexpr uint64_t undefined = 6, protection = 13;
  begin_upcalls();
  faults_of("division", division, divide);
  faults_of("undefined instruction", undefined, be_undefined);
  faults_of("privileged instruction", protection, be_privileged);
  faults_of("kernel memory", page_fault, touch_the_kernel);
  faults_of("an address that is none", protection, be_not_canonical);
  end_upcalls();
}

void data_is_not_executed() {
  begin_upcalls();
  host::map_at(place, page, PROT_READ | PROT_WRITE);
  *reinterpret_cast<volatile unsigned char*>(place) = 0xc3;
  asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t jmp *%1\n\t 1:"
               : "=m"(handler_state.go_on_at)
               : "r"(place)
               : "rax", "memory");
  EXPECT(handler_state.faults == 1 && handler_state.address == place && (handler_state.error & error_execute) != 0);
  host::unmap(place, page);
  end_upcalls();
}

long run_program() {
  const auto size = static_cast<size_t>(test_program_end - test_program);
  host::map_at(place, page, PROT_READ | PROT_WRITE | PROT_EXEC);
  std::memcpy(reinterpret_cast<void*>(place), test_program, size);
  const long result = reinterpret_cast<long (*)()>(place)();
  host::unmap(place, page);
  return result;
}

void a_call_from_outside_the_window_is_reflected() {
  begin_upcalls();
  test_reflected = 0;
  EXPECT(run_program() == 2 * 0x1234);
  EXPECT(test_reflected == 0x1234);
  end_upcalls();
  EXPECT(run_program() == -ENOSYS);
}

void resuming_nowhere_is_the_programs_fault() {
  constexpr uint64_t hole = 0x8000'0000'0000, general_protection = 13;
  begin_upcalls();
  native::Resume resume = {};
  resume.rip = hole;
  long number = native::resume;
  const native::Resume* registers = &resume;
  asm volatile("lea 1f(%%rip), %%rcx\n\t mov %%rcx, %0\n\t mov %%rsp, %1\n\t syscall\n\t 1:"
               : "=m"(handler_state.go_on_at), "=m"(resume.rsp), "+a"(number), "+D"(registers)
               :
               : "rcx", "r11", "memory");
  EXPECT(handler_state.faults == 1 && handler_state.trap == general_protection && handler_state.rip == hole);
  end_upcalls();
}

void bad_upcalls_are_refused() {
  constexpr uint64_t hole = 0x8000'0000'0000;
  const native::Upcall nowhere = {hole, hole, 0}, entry_nowhere = {0, 0, hole};
  EXPECT(call(native::upcall_set, &nowhere) == -EINVAL);
  EXPECT(call(native::upcall_set, &entry_nowhere) == -EINVAL);
  EXPECT(call(native::upcall_set, place) == -EFAULT);
  EXPECT(call(native::upcall_return, place) == -EFAULT);
  EXPECT(call(native::resume, place) == -EFAULT);
  EXPECT(call(native::resume, ~uint64_t{63}) == -EFAULT);
  native::Frame frame = {};
  frame.rip = hole;
  EXPECT(call(native::upcall_return, &frame) == -EINVAL);
  EXPECT(call(native::null_call) == 0);
  EXPECT(osp::raw::call(native::last_call + 1) == -ENOSYS && osp::raw::call(-1) == -ENOSYS);
}

constexpr Contract contracts[] = {
    CONTRACT(resuming_nowhere_is_the_programs_fault),
    CONTRACT(a_tick_comes_and_keeps_all_registers),
    CONTRACT(a_tick_is_not_early_and_can_be_taken_back),
    CONTRACT(a_tick_ends_a_wait),
    CONTRACT(many_ticks_come),
    CONTRACT(a_fault_is_told_and_can_be_mended),
    CONTRACT(all_kinds_of_faults_are_told),
    CONTRACT(data_is_not_executed),
    CONTRACT(a_call_from_outside_the_window_is_reflected),
    CONTRACT(bad_upcalls_are_refused),
};

}  // namespace

bool try_upcalls() { return try_all(contracts); }
