#pragma once

#include <cstddef>
#include <cstdint>

#include "libosp/host/window.h"

// The microkernel's own calls: what it serves beyond the host interface (host.h), to the core and to driver tasks. The
// numbers are out of Linux's range, the convention is Linux's: number in rax, arguments in rdi rsi rdx r10 r8 r9,
// result in rax, -4095..-1 minus an errno, all registers but rax, rcx and r11 kept. Pointers that the caller may not
// use give EFAULT. Freestanding: the kernel includes this header too.
//
// A task is a program for the host interface: an ELF image of static-PIE form, loaded at window::image, with spaces and
// threads. A `syscall` whose instruction lies inside the window (window::contains) is a call of the kernel's. One from
// elsewhere is a program's, which the core serves: it is reflected (Upcall).
namespace osp::native {

// --- Numbers ---------------------------------------------------------------------------------------------------

inline constexpr long first_call = 0x4f5000;
enum KernelCall : long {
  upcall_set = first_call,  // const Upcall*: of the calling thread; null: none
  upcall_return,            // Frame*: goes on with these registers; the thread takes upcalls again
  resume,                   // const Resume*: goes on there, all other registers as they are; never returns
  notify_set,               // int queue: a message upcall of this thread when a message comes while it does not wait
  timer_set,                // uint64_t deadline_ns (monotonic; 0: none): a tick upcall of this thread then
  space_make,               // a space whose window is this task's, empty outside; its handle. ENOMEM
  space_clone,       // the same, with a copy of the current space's memory (fork(2)): private segments are copied
                     // when written, shared ones are shared
  space_enter,       // int handle: the calling thread goes on in that space
  space_drop,        // int handle: the space goes when no thread is in it any more
  map_from,          // to, from, size, int protection, MapHow: see below
  queue_make,        // uint32_t capacity in messages (1 to 1024); a handle
  message_send,      // int queue, const Message*, uint64_t deadline_ns (0: for ever, 1: do not wait)
  message_receive,   // int queue, Message*, uint64_t deadline_ns
  select,            // Ready*, count (at most 64), uint64_t deadline_ns: how many are ready
  semaphore_make,    // uint32_t count; a handle
  semaphore_up,      // int handle. EOVERFLOW
  semaphore_down,    // int handle, uint64_t deadline_ns
  segment_make,      // size_t: zeroes that several tasks can map; a handle
  segment_map,       // int handle, uintptr_t address, int protection
  handle_close,      // int handle
  interrupt_attach,  // int line, int semaphore: it is upped at each interrupt, and the line held until ..._done
  interrupt_done,    // int line
  port_in,           // uint16_t port, width 1 2 4: the value
  port_out,          // uint16_t port, width, uint32_t value
  port_out_string,   // uint16_t port, const void*, size_t: bytes, one after the other
  task_table,        // char*, size_t: a line for each task, and one for each of its threads; the length
  null_call,         // 0: what a call costs
  message_exchange,  // int to, int from, Message*, uint64_t deadline_ns: sends it to `to`, and receives the next one of
                     // `from` in its place
  port_in_string,    // uint16_t port, void*, size_t (at most 256): bytes, one after the other
  memory_use,        // MemoryUse*
  segment_map_part,  // int handle, uintptr_t address, size, uint64_t offset, int protection, MapHow: see below
  segment_resize,    // int handle, size_t: see below
  last_call = segment_resize,
};
// When a task ends, a send to its own queue is EPIPE from then on, and every queue that it had a handle of tells its
// receivers so: once, when it is empty, a receive is EPIPE (and the queue is ready).
// Waiting calls answer ETIMEDOUT at their deadline (EAGAIN where they were not to wait), and EINTR when the thread took
// an upcall meanwhile. EBADF: no such handle, or of another kind. EPERM: a line or port that the task has no right to.

// --- Upcalls ---------------------------------------------------------------------------------------------------

// Where the kernel sends a thread for what the program did or what happened to it. With `syscall_entry` a system call
// from outside the window goes on there, in the program's registers: rax the number, rcx the address behind the
// instruction, r11 the flags, all else as it was. Faults, from in- and outside the window, and ticks go to `handler`,
// with the interrupted registers in a Frame at the top of the stack that ends at `stack_top`, and rdi its address.
// While a handler runs, ticks and messages wait; a fault in it ends the task. The handler uses general registers only.
struct Upcall {
  uint64_t handler = 0;
  uint64_t stack_top = 0;
  uint64_t syscall_entry = 0;
};

enum class Event : uint64_t {
  fault = 0,    // a processor exception: trap, error, address are the processor's
  tick = 1,     // the deadline of timer_set is reached
  message = 2,  // there is a message in the queue of notify_set; not told again until the queue has been empty
};

// In the order of the members that signal frames have; the handler may change all of them.
struct Frame {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, flags;
  Event event;
  uint64_t error, trap;  // of a fault: the processor's error code and vector, and CR2
  uint64_t reserved, address;
};
static_assert(sizeof(Frame) == 23 * 8);  // as gregset_t of ucontext(3)
// In `error` of a page fault (14): the access is allowed, but the machine has no page left for it.
inline constexpr uint64_t fault_no_memory = uint64_t{1} << 31;
// The access is allowed, but the segment ends before it.
inline constexpr uint64_t fault_behind_end = uint64_t{1} << 30;

// What `resume` loads at once, as iretq would: a rip that no program can have is its fault. (QEMU 7.2 without hardware
// virtualisation faults on an iretq in ring 3 under SMAP.)
struct Resume {
  uint64_t rip, rdi, flags, rsp, reserved;
  uint64_t rax, rcx, r11;
};
static_assert(sizeof(Resume) == 64);

// --- Memory ----------------------------------------------------------------------------------------------------

// map_from: `size` bytes at `from` appear at `to` as well, in the current space; both are page-aligned and one of them
// may be in the window. `to` must be free (EEXIST), `from` mapped (ENOMEM).
enum class MapHow : uint64_t {
  share = 0,  // the same memory from now on
  copy = 1,   // a copy, made page by page when either is written
  move = 2,   // `from` is unmapped then (mremap(2))
};

// --- Messages --------------------------------------------------------------------------------------------------

inline constexpr uint32_t no_handle = ~uint32_t{0};

// One cache line. Queued: a send waits only while the queue is full.
struct alignas(64) Message {
  uint64_t words[6];
  uint32_t handle;  // a queue, semaphore or segment that the receiver shall have too; it gets its own number for it
  uint32_t flags;   // 0
  uint64_t sender;  // the sender's task number, written by the kernel
};
static_assert(sizeof(Message) == 64);

// segment_map_part: `size` bytes of the segment from `offset` on, a multiple of the page size, appear at `address` in
// place of what was there. With MapHow::share it is the segment's memory, with MapHow::copy a page is the space's own
// from when it is written, and until then the segment's. They may lie behind the segment's end: a touch there is a
// fault with fault_behind_end (EFAULT for the kernel) until the segment is that large.
//
// segment_resize: pages behind the new end are the segment's no more. Where they are mapped they stay until they are
// discarded (MADV_DONTNEED). What is added is zeroes. ENOMEM.

// A message queue is ready when it holds a message, a semaphore when its count is not 0.
struct Ready {
  uint32_t handle;
  uint32_t ready;  // written: 1 or 0
};

// --- Start -----------------------------------------------------------------------------------------------------

// The aux-vector entry that tells a task that it is the kernel's: the address of its BootInfo.
inline constexpr unsigned long auxv_boot_info = 0x6f73'706b;  // "ospk"

// A file of the boot archive (newc cpio, uncompressed: QEMU's -initrd), mapped read-only in the window.
struct Module {
  const char* name;
  const char* data;  // not page-aligned
  size_t size;
};

// A driver task: send to `queue` to reach it.
struct Service {
  const char* name;
  uint32_t queue;
};

// Every file task/NAME of the archive is started as a task, task/core last; its own queue, by which others reach it, is
// handle 0. The end of task core is the end of the machine.
struct BootInfo {
  uint32_t version;
  uint32_t processors;
  const Module* modules;
  size_t module_count;
  const Service* services;
  size_t service_count;
  uint64_t memory;  // bytes that the machine has
};

// What memory there is, in bytes.
struct MemoryUse {
  uint64_t total;  // of the machine, what the kernel itself has from its start not counted
  uint64_t free;
  uint64_t space;  // what of the current space outside the window is in memory; shared pages count in each space
};

// --- Time ------------------------------------------------------------------------------------------------------

// Mapped read-only in every space: CLOCK_MONOTONIC is base_ns + ((tsc - base_tsc) * multiplier >> shift); realtime_ns
// more is CLOCK_REALTIME. Read while `sequence` is even and the same before and after.
struct TimePage {
  volatile uint32_t sequence;
  uint32_t shift;
  uint64_t multiplier;
  uint64_t base_tsc;
  int64_t base_ns;
  int64_t realtime_ns;
};

}  // namespace osp::native

namespace osp::window {

// Of the microkernel only: between what the core keeps there and its heap.
inline constexpr uintptr_t modules = 0x6800'c000'0000;    // the boot archive
inline constexpr uintptr_t time_page = 0x6800'f000'0000;  // native::TimePage
inline constexpr uintptr_t task_heap = 0x6880'0000'0000;  // where mmap(2) without an address begins for other tasks

}  // namespace osp::window
