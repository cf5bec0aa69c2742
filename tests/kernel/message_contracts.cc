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
using native::Message;
using native_calls::call;
using native_calls::message;
using native_calls::not_at_all;

constexpr size_t page = 4096;
constexpr uintptr_t place = 0x1000'0000;

void messages_come_in_order() {
  const int queue = native_calls::queue(4);
  Message got = {};
  EXPECT(native_calls::receive(queue, got, not_at_all) == -EAGAIN);
  for (uint64_t i = 0; i < 4; ++i) EXPECT(native_calls::send(queue, message(i)) == 0);
  EXPECT(native_calls::send(queue, message(9), not_at_all) == -EAGAIN);
  EXPECT(native_calls::send(queue, message(9), native_calls::in_ms(3)) == -ETIMEDOUT);
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT(native_calls::receive(queue, got) == 0);
    EXPECT(got.words[0] == i && got.words[5] == 6 && got.handle == native::no_handle && got.flags == 0);
    EXPECT(got.sender == static_cast<uint64_t>(osp::raw::call(SYS_getpid)));
  }
  EXPECT(native_calls::receive(queue, got, native_calls::in_ms(3)) == -ETIMEDOUT);
  EXPECT(native_calls::close(queue) == 0 && native_calls::receive(queue, got) == -EBADF);
}

// Its ring is of several pages, the last of which is not full.
void a_large_queue_keeps_the_order() {
  constexpr uint64_t capacity = 130;
  const int queue = native_calls::queue(capacity);
  Message got = {};
  uint64_t sent = 0, received = 0;
  bool right = true;
  for (int round = 0; round < 4; ++round) {
    while (native_calls::send(queue, message(sent), not_at_all) == 0) ++sent;
    EXPECT(sent - received == capacity);
    for (int i = 0; i < 100; ++i) right &= native_calls::receive(queue, got) == 0 && got.words[0] == received++;
  }
  EXPECT(right);
  native_calls::close(queue);
}

void a_closed_handle_names_nothing_or_another() {
  const int first = native_calls::queue(4);
  Message got = {};
  EXPECT(native_calls::send(first, message(1)) == 0 && native_calls::receive(first, got) == 0);
  native_calls::close(first);
  EXPECT(native_calls::send(first, message(2)) == -EBADF && native_calls::receive(first, got) == -EBADF);
  const int second = native_calls::queue(4);
  EXPECT(second == first && native_calls::send(second, message(3)) == 0);
  std::thread([&] { native_calls::close(second), native_calls::semaphore(0); }).join();
  EXPECT(native_calls::send(second, message(4)) == -EBADF && native_calls::receive(second, got) == -EBADF);
  native_calls::close(second);
}

void bad_messages_are_refused() {
  const int queue = native_calls::queue(4), semaphore = native_calls::semaphore(0);
  Message got = {}, flagged = message(1), wild = message(1), itself = message(1);
  flagged.flags = 1, wild.handle = 7777, itself.handle = static_cast<uint32_t>(queue);
  EXPECT(native_calls::send(queue, flagged) == -EINVAL && native_calls::send(queue, wild) == -EBADF);
  EXPECT(native_calls::send(queue, itself) == -EINVAL && native_calls::send(semaphore, message(1)) == -EBADF);
  EXPECT(call(native::message_send, queue, place, 0) == -EFAULT);
  EXPECT(call(native::message_send, queue, ~uint64_t{63}, 0) == -EFAULT);
  EXPECT(native_calls::receive(queue, got, not_at_all) == -EAGAIN);  // none of them came
  EXPECT(native_calls::send(queue, message(5)) == 0);
  EXPECT(call(native::message_receive, queue, place, 0) == -EFAULT);
  EXPECT(native_calls::receive(queue, got, not_at_all) == 0 && got.words[0] == 5);  // it was not lost
  for (const uint32_t capacity : {0u, 1025u, ~0u}) EXPECT(call(native::queue_make, capacity) == -EINVAL);
  native_calls::close(queue), native_calls::close(semaphore);
}

void threads_play_with_messages() {
  constexpr uint64_t rounds = 5000;
  const int to = native_calls::queue(1), from = native_calls::queue(1);
  std::thread other([&] {
    Message got = {};
    for (uint64_t i = 0; i < rounds; ++i)
      if (native_calls::receive(to, got) == 0) native_calls::send(from, message(got.words[0] + 1));
  });
  bool right = true;
  for (uint64_t i = 0; i < rounds; ++i) {
    Message got = {};
    native_calls::send(to, message(i));
    right &= native_calls::receive(from, got) == 0 && got.words[0] == i + 1;
  }
  other.join();
  EXPECT(right);
  native_calls::close(to), native_calls::close(from);
}

void an_exchange_sends_and_receives() {
  constexpr uint64_t rounds = 2000;
  const int to = native_calls::queue(1), from = native_calls::queue(1);
  std::thread other([&] {
    Message got = {};
    native_calls::receive(to, got);
    for (uint64_t i = 1; i < rounds; ++i) {
      ++got.words[0];
      call(native::message_exchange, from, to, &got, 0);
    }
    ++got.words[0];
    native_calls::send(from, got);
  });
  Message got = message(0);
  bool right = true;
  for (uint64_t i = 1; i <= rounds; ++i) right &= call(native::message_exchange, to, from, &got, 0) == 0;
  other.join();
  EXPECT(right && got.words[0] == rounds);
  EXPECT(call(native::message_exchange, to, 7777, &got, 0) == -EBADF);
  EXPECT(native_calls::receive(to, got, not_at_all) == -EAGAIN);  // nothing was sent
  EXPECT(call(native::message_exchange, to, from, &got, not_at_all) == -EAGAIN);
  EXPECT(native_calls::receive(to, got, not_at_all) == 0);
  native_calls::close(to), native_calls::close(from);
}

void many_senders_and_receivers_lose_nothing() {
  constexpr uint64_t each = 2000, threads = 4;
  const int queue = native_calls::queue(3);
  std::atomic<uint64_t> sum = 0;
  std::vector<std::thread> all;
  for (uint64_t t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      for (uint64_t i = 1; i <= each; ++i) native_calls::send(queue, message(i));
    });
    all.emplace_back([&] {
      for (uint64_t i = 0; i < each; ++i) {
        Message got = {};
        if (native_calls::receive(queue, got) == 0) sum += got.words[0];
      }
    });
  }
  for (auto& thread : all) thread.join();
  EXPECT(sum == threads * each * (each + 1) / 2);
  native_calls::close(queue);
}

void semaphores_count() {
  const int semaphore = native_calls::semaphore(2);
  EXPECT(call(native::semaphore_down, semaphore, 0) == 0 && call(native::semaphore_down, semaphore, 0) == 0);
  EXPECT(call(native::semaphore_down, semaphore, not_at_all) == -EAGAIN);
  EXPECT(call(native::semaphore_down, semaphore, native_calls::in_ms(3)) == -ETIMEDOUT);
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) call(native::semaphore_up, semaphore);
  });
  for (int i = 0; i < 1000; ++i) EXPECT(call(native::semaphore_down, semaphore, 0) == 0);
  other.join();
  EXPECT(call(native::semaphore_down, semaphore, not_at_all) == -EAGAIN);
  const int full = native_calls::semaphore(~0u);
  EXPECT(call(native::semaphore_up, full) == -EOVERFLOW);
  EXPECT(call(native::semaphore_up, 7777) == -EBADF);
  native_calls::close(semaphore), native_calls::close(full);
}

void select_tells_what_is_ready() {
  const int queue = native_calls::queue(2), semaphore = native_calls::semaphore(0);
  native::Ready list[] = {{static_cast<uint32_t>(queue), 7}, {static_cast<uint32_t>(semaphore), 7}};
  EXPECT(call(native::select, list, 2, not_at_all) == -EAGAIN);
  EXPECT(call(native::select, list, 2, native_calls::in_ms(3)) == -ETIMEDOUT);
  call(native::semaphore_up, semaphore);
  EXPECT(call(native::select, list, 2, 0) == 1 && list[0].ready == 0 && list[1].ready == 1);
  native_calls::send(queue, message(1));
  EXPECT(call(native::select, list, 2, 0) == 2 && list[0].ready == 1);
  call(native::semaphore_down, semaphore, 0);
  Message got = {};
  native_calls::receive(queue, got);
  std::thread other([&] {
    host::sleep_until(static_cast<int64_t>(native_calls::in_ms(5)));
    native_calls::send(queue, message(1));
  });
  EXPECT(call(native::select, list, 2, 0) == 1 && list[0].ready == 1 && list[1].ready == 0);
  other.join();
  list[1].handle = 7777;
  EXPECT(call(native::select, list, 2, 0) == -EBADF && call(native::select, place, 2, 0) == -EFAULT);
  EXPECT(call(native::select, list, 0, 0) == -EINVAL && call(native::select, list, 65, 0) == -EINVAL);
  native_calls::close(queue), native_calls::close(semaphore);
}

void a_message_is_told_to_a_thread_that_does_other_things() {
  const int queue = native_calls::queue(4);
  begin_upcalls();
  EXPECT(call(native::notify_set, queue) == 0);
  std::thread([&] { native_calls::send(queue, message(1)), native_calls::send(queue, message(2)); }).join();
  while (handler_state.messages == 0) {
  }
  EXPECT(handler_state.messages == 1);
  Message got = {};
  EXPECT(native_calls::receive(queue, got) == 0 && native_calls::receive(queue, got) == 0);
  native_calls::send(queue, message(3));
  EXPECT(handler_state.messages == 2);
  EXPECT(call(native::notify_set, native::no_handle) == 0);
  native_calls::receive(queue, got);
  native_calls::send(queue, message(4));
  EXPECT(handler_state.messages == 2 && call(native::notify_set, 7777) == -EBADF);
  end_upcalls();
  native_calls::close(queue);
}

void a_queue_goes_with_a_message() {
  const int carrier = native_calls::queue(2), carried = native_calls::queue(2);
  Message with = message(1);
  with.handle = static_cast<uint32_t>(carried);
  EXPECT(native_calls::send(carrier, with) == 0);
  EXPECT(native_calls::close(carried) == 0);  // it lives on in the message
  Message got = {};
  EXPECT(native_calls::receive(carrier, got) == 0 && got.handle != native::no_handle);
  const int mine = static_cast<int>(got.handle);
  EXPECT(native_calls::send(mine, message(8)) == 0 && native_calls::receive(mine, got) == 0 && got.words[0] == 8);
  native_calls::close(mine), native_calls::close(carrier);
}

int echo_service() {
  const native::BootInfo& info = *native_calls::boot_info();
  for (size_t i = 0; i < info.service_count; ++i)
    if (std::string_view(info.services[i].name) == "echo") return static_cast<int>(info.services[i].queue);
  return -1;
}

// Asks the other task; the answer comes through a queue that goes along.
Message ask(EchoAsk what, uint64_t value, int handle) {
  const int answers = native_calls::queue(1);
  Message first = message(static_cast<uint64_t>(EchoAsk::answer_here)), second = message(static_cast<uint64_t>(what));
  first.handle = static_cast<uint32_t>(answers);
  second.words[1] = value;
  second.handle = handle < 0 ? native::no_handle : static_cast<uint32_t>(handle);
  native_calls::send(echo_service(), first);
  native_calls::send(echo_service(), second);
  Message answer = {};
  EXPECT(native_calls::receive(answers, answer, native_calls::in_ms(5000)) == 0);
  native_calls::close(answers);
  return answer;
}

void another_task_answers() {
  EXPECT(echo_service() >= 0);
  for (uint64_t i = 0; i < 200; ++i)
    if (ask(EchoAsk::add_one, i, -1).words[0] != i + 1) return EXPECT(false);
  const int segment = static_cast<int>(call(native::segment_make, page));
  EXPECT(call(native::segment_map, segment, place, PROT_READ | PROT_WRITE) == 0);
  auto* shared = reinterpret_cast<volatile char*>(place);
  *shared = 'x';
  EXPECT(ask(EchoAsk::write_segment, 'y', segment).words[0] == 'x' && *shared == 'y');
  host::unmap(place, page);
  native_calls::close(segment);
}

constexpr Contract contracts[] = {
    CONTRACT(messages_come_in_order),
    CONTRACT(a_large_queue_keeps_the_order),
    CONTRACT(a_closed_handle_names_nothing_or_another),
    CONTRACT(bad_messages_are_refused),
    CONTRACT(threads_play_with_messages),
    CONTRACT(an_exchange_sends_and_receives),
    CONTRACT(many_senders_and_receivers_lose_nothing),
    CONTRACT(semaphores_count),
    CONTRACT(select_tells_what_is_ready),
    CONTRACT(a_message_is_told_to_a_thread_that_does_other_things),
    CONTRACT(a_queue_goes_with_a_message),
    CONTRACT(another_task_answers),
};

}  // namespace

bool try_messages() { return try_all(contracts); }
