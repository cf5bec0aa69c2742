#pragma once

#include <cstddef>
#include <cstdint>

// The core's own part of the address space. Neither the host's kernel nor programs put anything here
// (ASan's heap ends at 0x640000000000, the kernel's mmap area starts above 0x7e0000000000).
namespace osp::window {

inline constexpr uintptr_t image = 0x6800'0000'0000;           // the core's ELF image
inline constexpr uintptr_t boot_stack = 0x6800'0200'0000;      // the stack that the core starts on
inline constexpr uintptr_t shared_segment = 0x6800'8000'0000;  // what the processes of an environment share
inline constexpr uintptr_t heap = 0x6801'0000'0000;            // what the core maps when near_heap is full
inline constexpr uintptr_t end = 0x6810'0000'0000;
inline constexpr uintptr_t kept_end = 0x6880'0000'0000;  // up to here all processes have the same natively
inline constexpr size_t boot_stack_size = 256 * 1024;
// What the core maps first: close to what it has else, for the page tables are copied at each fork.
inline constexpr uintptr_t near_heap = boot_stack + boot_stack_size;
inline constexpr uintptr_t near_heap_end = 0x6800'4000'0000;

constexpr bool contains(uintptr_t address) { return address >= image && address < end; }
// What no program may have.
constexpr bool overlaps(uintptr_t address, size_t size) { return address < kept_end && address + size > image; }

// Maps anonymous memory (mmap(2) protections and flags) or a file in one of the heaps. Returns the address
// or minus an errno. What static glibc maps (malloc, thread stacks) comes here as well. Signal-safe
// except against itself: never call it from a signal handler.
long map(size_t size, int protection, int flags, int fd, int64_t offset);
long unmap(uintptr_t address, size_t size);

}  // namespace osp::window
