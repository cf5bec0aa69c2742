#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/kernel/check.h"
#include "tests/kernel/echo.h"
#include "tests/kernel/handler.h"
#include "tests/kernel/native_calls.h"

namespace {

namespace host = osp::host;
namespace native = osp::native;
using native_calls::call;

constexpr size_t page = 4096;
constexpr uintptr_t place = 0x10'0000'0000;

void handles_run_out_and_come_back() {
  std::vector<long> made;
  made.reserve(10'000);
  long last = 0;
  while ((last = call(native::semaphore_make, 0)) >= 0) made.push_back(last);
  EXPECT(last == -EMFILE && made.size() > 1000);
  for (const long handle : made) call(native::handle_close, handle);
  const int again = native_calls::semaphore(0);
  EXPECT(again == made.front());
  native_calls::close(again);
  EXPECT(native_calls::close(-1) == -EBADF && native_calls::close(1 << 30) == -EBADF);
}

// Touches pages until there are none; the fault says so. How many there were.
size_t exhaust() {
  size_t touched = 0;
  begin_upcalls();
  const size_t most = native_calls::boot_info()->memory / page + 1;
  host::map_at(place, most * page, PROT_READ | PROT_WRITE);
  for (; touched < most && handler_state.faults == 0; ++touched)
    asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t movb $1, (%1)\n\t 1:"
                 : "=m"(handler_state.go_on_at)
                 : "r"(place + touched * page)
                 : "rax", "memory");
  EXPECT(handler_state.faults == 1 && (handler_state.error & native::fault_no_memory) != 0);
  const long child = call(native::space_clone);  // may fail
  EXPECT(child >= 0 ? call(native::space_drop, child) == 0 : child == -ENOMEM);
  host::unmap(place, most * page);
  end_upcalls();
  return touched;
}

void memory_runs_out_and_comes_back() {
  const size_t first = exhaust(), second = exhaust();
  EXPECT(first > 1000 && second + 64 > first);
}

void areas_run_out_and_come_back() {
  constexpr size_t most = 70'000;
  host::map_at(place, 2 * most * page, PROT_READ);
  long result = 0;
  size_t split = 0;
  for (; split < most && result == 0; ++split) result = host::protect(place + 2 * split * page, page, PROT_NONE);
  EXPECT(result == -ENOMEM && split > 20'000);
  EXPECT(host::unmap(place, 2 * most * page) == 0);
  EXPECT(host::map_at(place, page, PROT_READ) == static_cast<long>(place) && host::unmap(place, page) == 0);
}

void threads_run_out_and_come_back() {
  for (int round = 0; round < 3; ++round) {
    std::atomic<uint32_t> go = 0;
    std::vector<std::thread> threads;
    try {
      for (int i = 0; i < 300; ++i)
        threads.emplace_back([&] {
          while (go == 0) host::wait_on(go, 0, nullptr);
        });
    } catch (const std::system_error&) {
    }
    EXPECT(threads.size() >= 200);
    go = 1;
    host::wake(go, INT32_MAX);
    for (auto& thread : threads) thread.join();
  }
}

int queue_of_echo() {
  const native::BootInfo& info = *native_calls::boot_info();
  for (size_t i = 0; i < info.service_count; ++i)
    if (std::string_view(info.services[i].name) == "echo") return static_cast<int>(info.services[i].queue);
  return -1;
}

// Who waits for its answer is told, once; and what is sent to it goes nowhere.
void another_tasks_crash_is_its_own() {
  const int echo = queue_of_echo(), answers = native_calls::queue(4);
  native::Message message = native_calls::message(static_cast<uint64_t>(EchoAsk::answer_here));
  message.handle = static_cast<uint32_t>(answers);
  EXPECT(native_calls::send(echo, message) == 0 && native_calls::send(answers, native_calls::message(7)) == 0);
  EXPECT(native_calls::send(echo, native_calls::message(static_cast<uint64_t>(EchoAsk::crash))) == 0);
  EXPECT(native_calls::receive(answers, message) == 0 && message.words[0] == 7);
  EXPECT(native_calls::receive(answers, message) == -EPIPE);
  EXPECT(native_calls::receive(answers, message, native_calls::not_at_all) == -EAGAIN);
  EXPECT(native_calls::send(echo, native_calls::message(1)) == -EPIPE);
  char text[4096] = {};
  for (int patience = 0; patience < 1000; ++patience) {
    std::memset(text, 0, sizeof text);
    call(native::task_table, text, sizeof text - 1);
    if (std::strstr(text, " echo: ") == nullptr) return;
    host::sleep_until(static_cast<int64_t>(native_calls::in_ms(1)));
  }
  EXPECT(false);
}

constexpr Contract contracts[] = {
    CONTRACT(handles_run_out_and_come_back),  CONTRACT(areas_run_out_and_come_back),
    CONTRACT(threads_run_out_and_come_back),  CONTRACT(memory_runs_out_and_comes_back),
    CONTRACT(another_tasks_crash_is_its_own),
};

}  // namespace

bool try_limits() { return try_all(contracts); }
