// Task core beside the fuzzer: waits until that has ended, and sees that the kernel still serves.
#include <cstdio>
#include <cstring>

#include "tests/kernel/native_calls.h"

namespace {

namespace host = osp::host;
namespace native = osp::native;
using native_calls::call;

bool fuzzer_lives() {
  static char text[65536];
  const long length = call(native::task_table, text, sizeof text - 1);
  if (length < 0) host::end(2);
  text[length] = '\0';
  return std::strstr(text, " fuzz ") != nullptr;
}

// What the fuzzer sends to our queue is thrown away, or it would wait for ever.
void drain() {
  native::Message message;
  while (native_calls::receive(0, message, native_calls::not_at_all) == 0)
    if (message.handle != native::no_handle) native_calls::close(static_cast<int>(message.handle));
}

bool memory_is_back() {
  constexpr uintptr_t place = 0x1000'0000;
  const size_t size = native_calls::boot_info()->memory / 2;
  if (host::map_at(place, size, PROT_READ | PROT_WRITE) < 0) return false;
  for (size_t at = 0; at < size; at += 4096) *reinterpret_cast<volatile char*>(place + at) = 1;
  return host::unmap(place, size) == 0;
}

}  // namespace

int main() {
  while (fuzzer_lives()) {
    drain();
    host::sleep_until(static_cast<int64_t>(native_calls::in_ms(50)));
  }
  const bool good = memory_is_back() && call(native::null_call) == 0;
  host::write_console(good ? "the kernel lives\n" : "memory is lost\n", good ? 17 : 15);
  host::end(good ? 0 : 1);
}
