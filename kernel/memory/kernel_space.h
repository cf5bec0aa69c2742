#pragma once

#include <cstddef>
#include <cstdint>

// The kernel's own half of all address spaces: the physical map, the stacks, the image.
namespace osp::kernel {

// Builds the kernel's page tables (W^X, guard pages below stacks) for physical addresses below `end`, and loads them.
void build_kernel_space(uint64_t end);

// The physical address of the root with nothing of ring 3.
[[nodiscard]] uint64_t kernel_root();

// The top of a stack of kernel_stack_size bytes; 0: no memory. Stacks that come back are kept for the next.
[[nodiscard]] uint64_t make_kernel_stack();
void drop_kernel_stack(uint64_t top);
[[nodiscard]] bool is_kernel_stack(uint64_t address, size_t size);

// Copies the kernel's half into the root of a new space.
void share_kernel_half(uint64_t* root);

}  // namespace osp::kernel
