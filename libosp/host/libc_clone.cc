// How libc makes host threads and children, for a core whose thread pointer is gs (scripts/core-segment): takes the
// place of libc.a's clone-internal.o (glibc 2.36, sysdeps/unix/sysv/linux/clone-internal.c), whose threads get theirs
// in fs (CLONE_SETTLS).
#include <asm/prctl.h>
#include <linux/sched.h>
#include <sched.h>

#include <cerrno>
#include <cstdint>

#include "base/raw_syscall.h"

extern "C" {

// By clone(2). `thread_pointer`: the child's, or null: the caller's stays. The child is on `stack` and ends with what
// `function` returns. Its number, or minus an errno.
long osp_clone(uint64_t flags, void* stack, void* parent_tid, void* child_tid, uint64_t thread_pointer,
               int (*function)(void*), void* argument);

// 0 < or -1 and errno, as clone(2) of libc's.
__attribute__((visibility("hidden"))) int __clone_internal(clone_args* args, int (*function)(void*), void* argument) {
  const uint64_t thread_pointer = (args->flags & CLONE_SETTLS) != 0 ? args->tls : 0;
  const uint64_t flags = (args->flags & ~uint64_t{CLONE_SETTLS}) | args->exit_signal;
  const long made = osp_clone(flags, reinterpret_cast<void*>(args->stack + args->stack_size),
                              reinterpret_cast<void*>(args->parent_tid), reinterpret_cast<void*>(args->child_tid),
                              thread_pointer, function, argument);
  if (made >= 0) return static_cast<int>(made);
  errno = static_cast<int>(-made);
  return -1;
}

}  // extern "C"

asm(R"(
        .text
        .globl osp_clone
        .type osp_clone, @function
osp_clone:
        .cfi_startproc
        andq $-16, %rsi
        movq 8(%rsp), %rax
        movq %rax, -8(%rsi)
        movq %r9, -16(%rsi)
        movq %r8, -24(%rsi)
        subq $32, %rsi
        movq %rcx, %r10
        xorl %r8d, %r8d
        movl $56, %eax
        syscall
        testq %rax, %rax
        jz 1f
        ret
        .cfi_endproc
        .cfi_startproc
        .cfi_undefined rip
1:      xorl %ebp, %ebp
        movq 8(%rsp), %rsi
        testq %rsi, %rsi
        jz 2f
        movl $0x1001, %edi
        movl $158, %eax
        syscall
        testl %eax, %eax
        jnz 3f
2:      movq 24(%rsp), %rdi
        call *16(%rsp)
        movl %eax, %edi
        movl $60, %eax
        syscall
3:      hlt
        .cfi_endproc
        .size osp_clone, . - osp_clone
)");
