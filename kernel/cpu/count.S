// In the place of osp_syscall_entry while calls are counted (call/count.h). All registers are the caller's.
#include "kernel/cpu/layout.h"

    .text
    .global osp_counted_syscall_entry
    .align 64
osp_counted_syscall_entry:
    swapgs
    mov %rax, %gs:OSP_PROCESSOR_USER_STACK  // which the entry writes next
    mov %rcx, %rax
    shr $39, %rax
    cmp $OSP_WINDOW_SLOT, %eax              // the flags are in r11
    mov %gs:OSP_PROCESSOR_USER_STACK, %rax
    jne 9f
    cmp $OSP_LINUX_CALLS, %rax
    jae 1f
    lock incq osp_linux_call_counts(, %rax, 8)
    jmp 9f
1:  sub $OSP_NATIVE_FIRST, %rax
    cmp osp_native_call_count, %rax
    jae 2f
    lock incq osp_native_call_counts(, %rax, 8)
    jmp 3f
2:  lock incq osp_other_call_count
3:  add $OSP_NATIVE_FIRST, %rax
9:  swapgs
    jmp osp_syscall_entry
