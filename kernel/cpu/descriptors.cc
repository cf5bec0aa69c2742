#include "kernel/cpu/descriptors.h"

#include "kernel/cpu/layout.h"

extern "C" const char osp_trap_stubs[];

namespace osp::kernel {
namespace {

constexpr int vector_count = 256, stub_size = 16;
constexpr int breakpoint = 3, overflow = 4, nmi = 2, double_fault = 8, machine_check = 18;

struct Gate {
  uint16_t low, selector;
  uint8_t stack, type;
  uint16_t middle;
  uint32_t high, unused;
};
static_assert(sizeof(Gate) == 16);

constinit Gate gates[vector_count] = {};

struct [[gnu::packed]] Pointer {
  uint16_t limit;
  const void* base;
};

Gate gate_of(int vector) {
  const uint64_t stub = reinterpret_cast<uint64_t>(osp_trap_stubs) + static_cast<uint64_t>(vector) * stub_size;
  const bool emergency = vector == nmi || vector == double_fault || vector == machine_check;
  const bool open = vector == breakpoint || vector == overflow;  // ring 3 may raise it with an instruction
  return {static_cast<uint16_t>(stub),
          OSP_KERNEL_CODE,
          static_cast<uint8_t>(emergency ? 1 : 0),
          static_cast<uint8_t>(open ? 0xee : 0x8e),
          static_cast<uint16_t>(stub >> 16),
          static_cast<uint32_t>(stub >> 32),
          0};
}

}  // namespace

void prepare_interrupt_table() {
  for (int vector = 0; vector < vector_count; ++vector) gates[vector] = gate_of(vector);
}

void Descriptors::load(uint64_t emergency_stack) {
  table[OSP_KERNEL_CODE / 8] = 0x00af'9b00'0000'ffff;
  table[OSP_KERNEL_DATA / 8] = 0x00cf'9300'0000'ffff;
  table[OSP_USER_DATA / 8] = 0x00cf'f300'0000'ffff;
  table[OSP_USER_CODE / 8] = 0x00af'fb00'0000'ffff;
  const auto base = reinterpret_cast<uint64_t>(&state);
  table[OSP_TASK_STATE / 8] =
      (sizeof(TaskState) - 1) | (base & 0xff'ffff) << 16 | uint64_t{0x89} << 40 | (base >> 24 & 0xff) << 56;
  table[OSP_TASK_STATE / 8 + 1] = base >> 32;
  state.interrupt_stacks[0] = emergency_stack;
  state.permissions = sizeof(TaskState);
  const Pointer descriptors = {sizeof table - 1, table}, interrupts = {sizeof gates - 1, gates};
  asm volatile("lgdt %0" : : "m"(descriptors));
  asm volatile("lidt %0" : : "m"(interrupts));
  asm volatile("ltr %w0" : : "r"(OSP_TASK_STATE));
  asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%fs; mov %1, %%gs" : : "r"(OSP_KERNEL_DATA), "r"(0));
}

}  // namespace osp::kernel
