#include <cerrno>
#include <cstring>
#include <string_view>

#include "tests/kernel/check.h"
#include "tests/kernel/native_calls.h"

namespace {

namespace host = osp::host;
namespace native = osp::native;
using native_calls::call;

constexpr uint16_t com2 = 0x2f8;
constexpr int com2_line = 3;
constexpr uintptr_t nowhere = 0x1000'0000;

long in(uint16_t port) { return call(native::port_in, port, 1); }
long out(uint16_t port, uint32_t value) { return call(native::port_out, port, 1, value); }

void only_some_ports_are_free() {
  EXPECT(out(com2 + 7, 0x5a) == 0 && in(com2 + 7) == 0x5a);  // the scratch register
  for (const int port : {0x20, 0x40, 0x70, 0xe9, 0xf4, 0x510, 0xcf8}) EXPECT(in(static_cast<uint16_t>(port)) == -EPERM);
  EXPECT(out(0xf4, 0) == -EPERM && call(native::port_in, com2 + 7, 4) == -EPERM);
  EXPECT(call(native::port_in, com2, 3) == -EINVAL && call(native::port_in, 0x10000 + com2, 1) == -EPERM);
  EXPECT(call(native::port_out_string, com2 + 7, "abc", 3) == 0 && in(com2 + 7) == 'c');
  EXPECT(call(native::port_out_string, com2 + 7, nowhere, 3) == -EFAULT);
  EXPECT(call(native::port_out_string, 0xf4, "abc", 3) == -EPERM);
  char got[3] = {};
  out(com2 + 7, 0x5a);
  EXPECT(call(native::port_in_string, com2 + 7, got, 3) == 0 && std::string_view(got, 3) == "ZZZ");
  EXPECT(call(native::port_in_string, com2 + 7, nowhere, 3) == -EFAULT);
  EXPECT(call(native::port_in_string, com2 + 7, got, 257) == -EINVAL);
  EXPECT(call(native::port_in_string, 0xcf8, got, 3) == -EPERM);
}

// The serial port says by an interrupt that it could send, each time that it is asked to.
void interrupts_up_a_semaphore() {
  const int semaphore = native_calls::semaphore(0);
  EXPECT(call(native::interrupt_attach, com2_line, semaphore) == 0);
  EXPECT(call(native::interrupt_attach, com2_line, semaphore) == -EBUSY);
  EXPECT(call(native::interrupt_attach, 0, semaphore) == -EPERM);
  EXPECT(call(native::interrupt_attach, 999, semaphore) == -EPERM);
  EXPECT(call(native::interrupt_attach, 4, 7777) == -EBADF);
  EXPECT(call(native::interrupt_done, 4) == -EPERM && call(native::interrupt_done, 999) == -EPERM);
  out(com2 + 4, 8);  // OUT2 lets interrupts through
  for (int round = 0; round < 20; ++round) {
    out(com2 + 1, 2);  // when the transmitter is empty
    EXPECT(call(native::semaphore_down, semaphore, native_calls::in_ms(1000)) == 0);
    EXPECT((in(com2 + 2) & 15) == 2);
    out(com2 + 1, 0);
    EXPECT(call(native::interrupt_done, com2_line) == 0);
  }
  while (call(native::semaphore_down, semaphore, native_calls::in_ms(2)) == 0) call(native::interrupt_done, com2_line);
  // While the line is held, an interrupt waits.
  out(com2 + 1, 2);
  EXPECT(call(native::semaphore_down, semaphore, native_calls::in_ms(1000)) == 0);
  in(com2 + 2), out(com2 + 1, 0), out(com2 + 1, 2);
  EXPECT(call(native::semaphore_down, semaphore, native_calls::in_ms(5)) == -ETIMEDOUT);
  EXPECT(call(native::interrupt_done, com2_line) == 0);
  EXPECT(call(native::semaphore_down, semaphore, native_calls::in_ms(1000)) == 0);
  out(com2 + 1, 0), in(com2 + 2);
  native_calls::close(semaphore);
}

void the_time_page_is_the_clock() {
  const auto& page = *reinterpret_cast<const native::TimePage*>(osp::window::time_page);
  for (int i = 0; i < 1000; ++i) {
    const int64_t before = host::monotonic_ns();
    const uint64_t ticks = __builtin_ia32_rdtsc() - page.base_tsc;
    const int64_t now =
        page.base_ns + static_cast<int64_t>(static_cast<unsigned __int128>(ticks) * page.multiplier >> page.shift);
    if (now < before || now > host::monotonic_ns()) return EXPECT(false);
  }
  timespec realtime = {};
  osp::raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &realtime);
  const int64_t by_page = host::monotonic_ns() + page.realtime_ns;
  EXPECT(realtime.tv_sec > 1'700'000'000 && by_page / 1'000'000'000 - realtime.tv_sec <= 1);
}

void the_boot_record_is_there() {
  const native::BootInfo& info = *native_calls::boot_info();
  EXPECT(info.version == 1 && info.processors >= 1 && info.memory > 8 << 20);
  std::string_view text;
  for (size_t i = 0; i < info.module_count; ++i)
    if (std::string_view(info.modules[i].name) == "boot") text = {info.modules[i].data, info.modules[i].size};
  EXPECT(text == "a record of the test's");
  // A task's copy of the archive is its own.
  auto* data = const_cast<char*>(text.data());
  const uintptr_t start = reinterpret_cast<uintptr_t>(data) & ~uintptr_t{4095};
  EXPECT(host::protect(start, 4096, PROT_READ | PROT_WRITE) == 0);
  *data = 'A';
  EXPECT(text.starts_with("A record"));
}

void the_task_table_names_the_threads() {
  char text[4096] = {};
  const long length = call(native::task_table, text, sizeof text);
  EXPECT(length > 0 && std::strstr(text, "core runs") != nullptr && std::strstr(text, "echo waits") != nullptr);
  EXPECT(call(native::task_table, text, 5) == 5 && call(native::task_table, nowhere, 100) == -EFAULT);
}

constexpr Contract contracts[] = {
    CONTRACT(only_some_ports_are_free),         CONTRACT(interrupts_up_a_semaphore),
    CONTRACT(the_time_page_is_the_clock),       CONTRACT(the_boot_record_is_there),
    CONTRACT(the_task_table_names_the_threads),
};

}  // namespace

bool try_devices() { return try_all(contracts); }
