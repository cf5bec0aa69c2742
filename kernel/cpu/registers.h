#pragma once

#include <cstdint>

// The processor's instructions and registers that C++ has no words for (Intel SDM volume 2).
namespace osp::kernel::cpu {

inline constexpr uint32_t msr_efer = 0xc000'0080, msr_star = 0xc000'0081, msr_lstar = 0xc000'0082;
inline constexpr uint32_t msr_flag_mask = 0xc000'0084, msr_gs_base = 0xc000'0101, msr_user_gs_base = 0xc000'0102;
inline constexpr uint32_t msr_apic_base = 0x1b;

inline constexpr uint64_t flag_interrupts = 1 << 9;

inline void pause() { asm volatile("pause"); }
inline void halt_until_interrupt() { asm volatile("sti; hlt; cli" : : : "memory"); }
[[noreturn]] inline void stop() {
  for (;;) asm volatile("cli; hlt");
}

inline uint64_t read_tsc() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return uint64_t{high} << 32 | low;
}

inline uint64_t read_msr(uint32_t number) {
  uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
  return uint64_t{high} << 32 | low;
}

inline void write_msr(uint32_t number, uint64_t value) {
  asm volatile("wrmsr" : : "c"(number), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)));
}

inline uint64_t read_cr2() {
  uint64_t value;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
inline uint64_t read_cr3() {
  uint64_t value;
  asm volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}
inline void write_cr3(uint64_t value) { asm volatile("mov %0, %%cr3" : : "r"(value) : "memory"); }
inline uint64_t read_cr0() {
  uint64_t value;
  asm volatile("mov %%cr0, %0" : "=r"(value));
  return value;
}
inline void write_cr0(uint64_t value) { asm volatile("mov %0, %%cr0" : : "r"(value) : "memory"); }
inline uint64_t read_cr4() {
  uint64_t value;
  asm volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}
inline void write_cr4(uint64_t value) { asm volatile("mov %0, %%cr4" : : "r"(value) : "memory"); }

inline void forget_page(uint64_t address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }

inline uint64_t read_fs_base() {
  uint64_t value;
  asm volatile("rdfsbase %0" : "=r"(value));
  return value;
}
inline void write_fs_base(uint64_t value) { asm volatile("wrfsbase %0" : : "r"(value)); }

// The program's gs base; the kernel's own is in place meanwhile again. Interrupts are off.
inline uint64_t read_user_gs_base() {
  uint64_t value;
  asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(value));
  return value;
}
inline void write_user_gs_base(uint64_t value) { asm volatile("swapgs; wrgsbase %0; swapgs" : : "r"(value)); }

struct Cpuid {
  uint32_t a, b, c, d;
};
inline Cpuid cpuid(uint32_t leaf, uint32_t part = 0) {
  Cpuid out;
  asm volatile("cpuid" : "=a"(out.a), "=b"(out.b), "=c"(out.c), "=d"(out.d) : "a"(leaf), "c"(part));
  return out;
}

inline void out8(uint16_t port, uint8_t value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
inline void out16(uint16_t port, uint16_t value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
inline void out32(uint16_t port, uint32_t value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
inline uint8_t in8(uint16_t port) {
  uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline uint16_t in16(uint16_t port) {
  uint16_t value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline uint32_t in32(uint16_t port) {
  uint32_t value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline void in_string(uint16_t port, void* to, uint64_t size) {
  asm volatile("rep insb" : "+D"(to), "+c"(size) : "d"(port) : "memory");
}
inline void out_string(uint16_t port, const void* data, uint64_t size) {
  asm volatile("rep outsb" : "+S"(data), "+c"(size) : "d"(port) : "memory");
}

}  // namespace osp::kernel::cpu
