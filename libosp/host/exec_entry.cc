// Where the kernel begins a process that was given the core itself to execute, as bin/osp-run: the same image, which
// says what its one place is (scripts/executable). Nothing of libc's can be used yet.
#include <elf.h>

#include "base/raw_syscall.h"
#include "libosp/host/boot.h"
#include "libosp/host/core_stack.h"
#include "libosp/host/entry_stack.h"
#include "libosp/host/populate.h"
#include "libosp/host/window.h"

extern "C" {

extern const Elf64_Ehdr __ehdr_start;              // ld(1)
extern char _DYNAMIC[], _end[];                    // between them lies what every start writes to ...
extern char osp_sparse_start[], osp_sparse_end[];  // ... but for this (hot_data.ld)
void _start();

[[noreturn]] void osp_begin_executed(uint64_t* stack) {
  using namespace osp;
  const auto at = [](const char* symbol) { return reinterpret_cast<uintptr_t>(symbol); };
  constexpr uintptr_t tunables = 4096;  // libc's lie before _DYNAMIC
  host::populate(at(_DYNAMIC) - tunables, at(osp_sparse_start) + 1);
  host::populate(at(osp_sparse_end), at(_end));
  // As start_core() finds them in the file; the kernel has gone by others.
  const auto* const headers = reinterpret_cast<const Elf64_Phdr*>(&__ehdr_start + 1);
  host::begin_core({.headers = reinterpret_cast<uint64_t>(headers),
                    .header_count = __ehdr_start.e_phnum,
                    .start = reinterpret_cast<uint64_t>(&_start),
                    .auxv = host::EntryStack::of(stack).auxv,
                    .type = host::auxv_entry_stack,
                    .value = reinterpret_cast<uint64_t>(stack)});
  constexpr int status_failed = 125, to_stderr = 2;
  static constexpr char why[] = "osp-run: not enough memory to start (see ulimit -v)\n";
  raw::syscall(SYS_write, to_stderr, why, sizeof why - 1);
  for (;;) raw::syscall(SYS_exit_group, status_failed);
}

}  // extern "C"

asm(R"(
  .section .text.start.osp_executed, "ax", @progbits
  .globl osp_executed
  .type osp_executed, @function
osp_executed:
  xor %ebp, %ebp
  mov %rsp, %rdi
  and $-16, %rsp
  call osp_begin_executed
  .size osp_executed, . - osp_executed
  .previous
)");
