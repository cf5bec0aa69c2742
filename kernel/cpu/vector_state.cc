#include "kernel/cpu/vector_state.h"

#include <initializer_list>

#include "kernel/cpu/panic.h"
#include "kernel/cpu/registers.h"
#include "kernel/library/bytes.h"
#include "kernel/task/thread.h"

namespace osp::kernel {
namespace {

constexpr uint64_t x87_and_sse = 3, avx = 4, avx512 = 0xe0;
constexpr uint32_t default_mxcsr = 0x1f80;
constexpr uint16_t default_x87_control = 0x37f;
constexpr uint32_t xcr0 = 0;

void write_xcr(uint32_t number, uint64_t value) {
  asm volatile("xsetbv" : : "c"(number), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)));
}

bool fits() { return cpu::cpuid(13).b <= sizeof(Thread::vector_state); }

}  // namespace

void enable_vector_state() {
  const uint64_t offered = cpu::cpuid(13).a;
  const uint64_t upper = (offered & avx) != 0 && (offered & avx512) == avx512 ? avx | avx512 : offered & avx;
  for (const uint64_t set : {x87_and_sse | upper, x87_and_sse | (upper & avx), x87_and_sse}) {
    write_xcr(xcr0, set);
    if (fits()) return;
  }
  panic("this processor's vector state is larger than a thread has room for");
}

void save_vector_state(Thread& thread) { asm volatile("xsave64 %0" : "=m"(thread.vector_state) : "a"(-1), "d"(-1)); }

void load_vector_state(const Thread& thread) {
  asm volatile("xrstor64 %0" : : "m"(thread.vector_state), "a"(-1), "d"(-1));
}

void clear_vector_state(Thread& thread) {
  memset(thread.vector_state, 0, sizeof thread.vector_state);
  memcpy(thread.vector_state, &default_x87_control, sizeof default_x87_control);
  memcpy(thread.vector_state + 24, &default_mxcsr, sizeof default_mxcsr);
}

}  // namespace osp::kernel
