// A task besides task core, which the conformance suite asks for things. Its queue is handle 0.
#include "tests/kernel/echo.h"

#include "tests/kernel/native_calls.h"

namespace {

namespace native = osp::native;
using native_calls::call;

constexpr uintptr_t place = 0x3000'0000;

uint64_t write_segment(uint32_t segment, uint64_t value) {
  if (call(native::segment_map, segment, place, PROT_READ | PROT_WRITE) != 0) return ~uint64_t{0};
  auto* shared = reinterpret_cast<volatile char*>(place);
  const auto before = static_cast<unsigned char>(*shared);
  *shared = static_cast<char>(value);
  osp::host::unmap(place, 4096);
  native_calls::close(static_cast<int>(segment));
  return before;
}

}  // namespace

int main() {
  constexpr int own_queue = 0;
  int answers = -1;
  for (;;) {
    native::Message asked = {};
    if (native_calls::receive(own_queue, asked) != 0) return 1;
    uint64_t answer = 0;
    switch (static_cast<EchoAsk>(asked.words[0])) {
      case EchoAsk::answer_here:
        answers = static_cast<int>(asked.handle);
        continue;
      case EchoAsk::add_one:
        answer = asked.words[1] + 1;
        break;
      case EchoAsk::write_segment:
        answer = write_segment(asked.handle, asked.words[1]);
        break;
      case EchoAsk::crash:
        __builtin_trap();
    }
    native_calls::send(answers, native_calls::message(answer));
    native_calls::close(answers);
  }
}
