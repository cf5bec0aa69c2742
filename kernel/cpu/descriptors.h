#pragma once

#include <cstdint>

namespace osp::kernel {

// The task state of one processor (Intel SDM 3A 8.7): only stacks.
struct [[gnu::packed]] TaskState {
  uint32_t unused;
  uint64_t stacks[3];
  uint64_t unused2;
  uint64_t interrupt_stacks[7];
  uint64_t unused3;
  uint16_t unused4;
  uint16_t permissions;
};
static_assert(sizeof(TaskState) == 104);

// One processor's descriptors; the selectors of ring 3 are Linux's.
struct Descriptors {
  uint64_t table[10] = {};
  alignas(16) TaskState state = {};

  // Fills the table and makes this processor use it, and the common interrupt table. `emergency_stack` is the top of
  // the stack for double faults, NMI and machine checks.
  void load(uint64_t emergency_stack);
};

// Fills the interrupt table, once.
void prepare_interrupt_table();

}  // namespace osp::kernel
