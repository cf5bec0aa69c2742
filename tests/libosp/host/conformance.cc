// The conformance suite of the host interface: see README.md. No GoogleTest, so that it runs where there are no files.
#include <atomic>
#include <boost/fiber/all.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "libosp/host/host.h"
#include "tests/libosp/host/confine.h"

namespace {

namespace host = osp::host;

constexpr uintptr_t place = 0x6900'0000'0000;  // free on every host
constexpr size_t page = 4096;
constexpr int64_t ms = 1'000'000;

int failures;

#define EXPECT(condition) expect(condition, #condition, __LINE__)

void expect(bool good, const char* what, int line) {
  if (good) return;
  ++failures;
  std::printf("  line %d: not so: %s\n", line, what);
}

char* at(uintptr_t address) { return reinterpret_cast<char*>(address); }

void memory_is_zero_and_where_it_was_asked_for() {
  EXPECT(host::map_at(place, 3 * page, PROT_READ | PROT_WRITE) == static_cast<long>(place));
  for (size_t i = 0; i < 3 * page; ++i)
    if (at(place)[i] != 0) return EXPECT(false);
  std::memset(at(place), 'x', 3 * page);
  EXPECT(host::map_at(place + page, page, PROT_READ) == -EEXIST);
  EXPECT(host::map_at(place + 10 * page + 1, page, PROT_READ) == -EINVAL);
  EXPECT(host::map_at(place + 10 * page, 0, PROT_READ) == -EINVAL);
  EXPECT(at(place)[page] == 'x');
  EXPECT(host::unmap(place, 3 * page) == 0);
}

void memory_can_have_holes() {
  EXPECT(host::map_at(place, 3 * page, PROT_READ | PROT_WRITE) == static_cast<long>(place));
  at(place)[0] = 'a', at(place)[2 * page] = 'c';
  EXPECT(host::unmap(place + page, page) == 0);
  EXPECT(host::protect(place, 3 * page, PROT_READ) == -ENOMEM);
  EXPECT(at(place)[0] == 'a' && at(place)[2 * page] == 'c');
  EXPECT(host::map_at(place + page, page, PROT_READ | PROT_WRITE) == static_cast<long>(place + page));
  EXPECT(at(place)[page] == 0);
  EXPECT(host::unmap(place, 3 * page) == 0);
  EXPECT(host::unmap(place, 3 * page) == 0);  // holes are fine
  EXPECT(host::unmap(place + 1, page) == -EINVAL);
  EXPECT(host::unmap(place, 0) == -EINVAL);
}

void protection_changes() {
  constexpr unsigned char return_7[] = {0xb8, 7, 0, 0, 0, 0xc3};
  EXPECT(host::map_at(place, page, PROT_NONE) == static_cast<long>(place));
  EXPECT(host::protect(place, page, PROT_READ | PROT_WRITE) == 0);
  std::memcpy(at(place), return_7, sizeof return_7);
  EXPECT(host::protect(place, page, PROT_READ | PROT_EXEC) == 0);
  EXPECT(reinterpret_cast<int (*)()>(place)() == 7);
  EXPECT(host::protect(place + 1, page, PROT_READ) == -EINVAL);
  EXPECT(host::unmap(place, page) == 0);
}

void discarded_memory_is_zero() {
  EXPECT(host::map_at(place, 2 * page, PROT_READ | PROT_WRITE) == static_cast<long>(place));
  at(place)[0] = 'a', at(place)[page] = 'b';
  EXPECT(host::discard(place, page) == 0);
  EXPECT(at(place)[0] == 0 && at(place)[page] == 'b');
  EXPECT(host::unmap(place, 2 * page) == 0);
  EXPECT(host::discard(place, page) == -ENOMEM);
}

void large_memory_is_committed_when_touched() {
  constexpr size_t size = size_t{1} << 40;
  EXPECT(host::map_at(place, size, PROT_READ | PROT_WRITE) == static_cast<long>(place));
  at(place)[0] = 'a', at(place)[size - 1] = 'z';
  EXPECT(at(place)[0] == 'a' && at(place)[size / 2] == 0 && at(place)[size - 1] == 'z');
  EXPECT(host::unmap(place, size) == 0);
}

void a_wait_ends_in_time() {
  std::atomic<uint32_t> word = 1;
  const timespec soon = {0, 20 * ms};
  const int64_t start = host::monotonic_ns();
  EXPECT(host::wait_on(word, 2, nullptr) == -EAGAIN);
  EXPECT(host::wait_on(word, 1, &soon) == -ETIMEDOUT);
  EXPECT(host::monotonic_ns() - start >= 20 * ms);
  EXPECT(host::wake(word, 1) == 0);
}

void a_wake_reaches_a_sleeper() {
  constexpr uint32_t rounds = 2000;
  std::atomic<uint32_t> turn = 0;
  const auto play = [&turn](uint32_t parity) {
    for (;;) {
      const uint32_t now = turn.load();
      if (now >= rounds) return;
      if (now % 2 != parity) {
        host::wait_on(turn, now, nullptr);
        continue;
      }
      turn.store(now + 1);
      host::wake(turn, 1);
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  EXPECT(turn == rounds);
}

void time_goes_on() {
  int64_t last = host::monotonic_ns();
  for (int i = 0; i < 10'000; ++i) {
    const int64_t now = host::monotonic_ns();
    if (now < last) return EXPECT(false);
    last = now;
  }
  EXPECT(host::sleep_until(last + 10 * ms) == 0);
  EXPECT(host::monotonic_ns() >= last + 10 * ms);
  EXPECT(host::sleep_until(last) == 0);
}

void chance_is_different_each_time() {
  std::array<unsigned char, 256> first = {}, second = {};
  EXPECT(host::random(first.data(), first.size()) == 256);
  EXPECT(host::random(second.data(), second.size()) == 256);
  EXPECT(first != second);
  EXPECT(host::random(reinterpret_cast<void*>(place), 16) == -EFAULT);
}

void libc_starts_threads() {
  constexpr int thread_count = 8, rounds = 10'000;
  thread_local int own = 0;
  std::atomic<int> sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i)
    threads.emplace_back([&sum] {
      for (int n = 0; n < rounds; ++n) ++own;
      host::yield();
      sum += own;
    });
  for (auto& thread : threads) thread.join();
  EXPECT(sum == thread_count * rounds && own == 0);
}

void exceptions_are_caught() {
  std::vector<std::thread> threads;
  std::atomic<int> caught = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&caught] {
      for (int n = 0; n < 100; ++n) try {
          throw std::runtime_error("conformance");
        } catch (const std::runtime_error& error) {
          caught += std::string_view(error.what()) == "conformance" ? 1 : 0;
        }
    });
  for (auto& thread : threads) thread.join();
  EXPECT(caught == 400);
}

void fibers_take_turns() {
  boost::fibers::buffered_channel<int> channel(4);
  int sum = 0;
  boost::fibers::fiber producer([&channel] {
    for (int i = 1; i <= 100; ++i) channel.push(i);
    channel.close();
  });
  boost::fibers::fiber consumer([&] {
    for (const int value : channel) sum += value;
    boost::this_fiber::sleep_for(std::chrono::milliseconds(5));
  });
  producer.join();
  consumer.join();
  EXPECT(sum == 5050);
}

struct Contract {
  const char* name;
  void (*check)();
};
#define CONTRACT(function) \
  Contract { #function, function }
constexpr Contract contracts[] = {
    CONTRACT(memory_is_zero_and_where_it_was_asked_for),
    CONTRACT(memory_can_have_holes),
    CONTRACT(protection_changes),
    CONTRACT(discarded_memory_is_zero),
    CONTRACT(large_memory_is_committed_when_touched),
    CONTRACT(a_wait_ends_in_time),
    CONTRACT(a_wake_reaches_a_sleeper),
    CONTRACT(time_goes_on),
    CONTRACT(chance_is_different_each_time),
    CONTRACT(libc_starts_threads),
    CONTRACT(exceptions_are_caught),
    CONTRACT(fibers_take_turns),
};

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--confined" && !confine_to_interface()) {
    std::printf("this kernel cannot confine us\n");
    return 2;
  }
  for (const Contract& contract : contracts) {
    const int before = failures;
    contract.check();
    std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", contract.name);
  }
  std::fflush(stdout);
  host::end(failures == 0 ? 0 : 1);
}
