// What calls cost. With `-icount shift=0` the time stamp counter counts instructions, and the figures repeat: with
// "marks" in the boot record each must be within its mark.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>

#include "tests/kernel/handler.h"
#include "tests/kernel/native_calls.h"

extern "C" {
extern const char test_program[], test_program_end[];
}

namespace {

namespace host = osp::host;
namespace native = osp::native;
using native_calls::call;
using native_calls::message;

constexpr int rounds = 2000, batches = 5;
constexpr size_t page = 4096;
constexpr uintptr_t place = 0x1000'0000;

uint64_t ticks() { return __builtin_ia32_rdtsc(); }

bool over_a_mark;

// The least of some batches, for each of `count` things that `act` does; it should be at most `mark` instructions.
template <class Act>
void measure(const char* what, uint64_t mark, uint64_t count, Act act) {
  uint64_t least = ~uint64_t{0};
  for (int i = 0; i < batches; ++i) {
    const uint64_t start = ticks();
    act();
    least = std::min(least, (ticks() - start) / count);
  }
  std::printf("%-40s %8lu  (mark %lu)\n", what, least, mark);
  over_a_mark |= least > mark;
}

void measure_null_call() {
  measure("null call", 60, rounds, [] {
    for (int i = 0; i < rounds; ++i) call(native::null_call);
  });
}

void measure_reflected_call() {
  begin_upcalls();
  host::map_at(place, page, PROT_READ | PROT_WRITE | PROT_EXEC);
  std::memcpy(reinterpret_cast<void*>(place), test_program, static_cast<size_t>(test_program_end - test_program));
  measure("call of a program, reflected and resumed", 250, rounds, [] {
    for (int i = 0; i < rounds; ++i) reinterpret_cast<long (*)()>(place)();
  });
  host::unmap(place, page);
  end_upcalls();
}

void measure_messages() {
  const int to = native_calls::queue(4), from = native_calls::queue(4);
  std::thread other([&] {
    native::Message got = {};
    for (int i = 0; i < batches * rounds; ++i) {
      native_calls::receive(to, got);
      native_calls::send(from, got);
    }
  });
  measure("message: send, receive, switch, one way", 400, 2 * rounds, [&] {
    native::Message got = message(1);
    for (int i = 0; i < rounds; ++i) {
      native_calls::send(to, got);
      native_calls::receive(from, got);
    }
  });
  other.join();
}

void measure_exchange() {
  const int to = native_calls::queue(4), from = native_calls::queue(4);
  std::thread other([&] {
    native::Message got = {};
    native_calls::receive(to, got);
    for (int i = 0; i < batches * rounds - 1; ++i) call(native::message_exchange, from, to, &got, 0);
    native_calls::send(from, got);
  });
  measure("message: exchange, switch, one way", 340, 2 * rounds, [&] {
    native::Message got = message(1);
    for (int i = 0; i < rounds; ++i) call(native::message_exchange, to, from, &got, 0);
  });
  other.join();
}

void measure_futex() {
  std::atomic<uint32_t> turn = 0;
  const auto play = [&turn](uint32_t parity, uint32_t end) {
    for (uint32_t now = turn; now < end; now = turn) {
      if (now % 2 != parity) {
        host::wait_on(turn, now, nullptr);
        continue;
      }
      turn = now + 1;
      host::wake(turn, 1);
    }
  };
  constexpr uint32_t end = 2 * rounds * batches;
  std::thread other(play, 1, end);
  uint32_t until = 0;
  measure("futex: wake, wait, switch, one way", 1000, 2 * rounds, [&] { play(0, until += 2 * rounds); });
  other.join();
}

void measure_yield() {
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) host::yield();
  });
  measure("yield, switch, one way", 450, 2 * rounds, [] {
    for (int i = 0; i < rounds; ++i) host::yield();
  });
  stop = true;
  other.join();
}

// A process of a few hundred pages is cloned, entered, writes some, and goes.
void measure_clone() {
  constexpr size_t pages = 300, written = 20;
  host::map_at(place, pages * page, PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < pages; ++i) *reinterpret_cast<volatile char*>(place + i * page) = 1;
  const long back = call(native::space_clone);
  call(native::space_enter, back);
  measure("space cloned, entered, 20 pages, dropped", 150000, 10, [&] {
    for (int i = 0; i < 10; ++i) {
      const long child = call(native::space_clone);
      call(native::space_enter, child);
      for (size_t n = 0; n < written; ++n) *reinterpret_cast<volatile char*>(place + n * page) = 2;
      call(native::space_enter, back);
      call(native::space_drop, child);
    }
  });
  call(native::space_drop, back);
  host::unmap(place, pages * page);
}

void measure_fault() {
  constexpr size_t pages = 200;
  measure("page touched first", 1000, pages, [] {
    host::map_at(place, pages * page, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < pages; ++i) *reinterpret_cast<volatile char*>(place + i * page) = 1;
    host::unmap(place, pages * page);
  });
}

bool marks_count() {
  const native::BootInfo& info = *native_calls::boot_info();
  for (size_t i = 0; i < info.module_count; ++i)
    if (std::string_view(info.modules[i].name) == "boot")
      return std::string_view(info.modules[i].data, info.modules[i].size).starts_with("marks");
  return false;
}

}  // namespace

int main() {
  const int64_t start = host::monotonic_ns();
  measure_null_call();
  measure_reflected_call();
  measure_messages();
  measure_exchange();
  measure_futex();
  measure_yield();
  measure_clone();
  measure_fault();
  std::printf("%lld ms\n", static_cast<long long>((host::monotonic_ns() - start) / 1'000'000));
  std::fflush(stdout);
  host::end(marks_count() && over_a_mark ? 1 : 0);
}
