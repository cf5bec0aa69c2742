// The ways into the kernel from ring 3, and back. Interrupts are off in the kernel, everywhere.
#include "kernel/cpu/layout.h"

    .macro push_registers
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro pop_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    .endm

// What the way through leaves out of the frame at `offset` of the stack: the registers that C++ keeps, and what SYSCALL
// has destroyed.
    .macro save_others offset
    mov \offset + OSP_FRAME_RIP(%rsp), %rax
    mov %rax, \offset + OSP_FRAME_RCX(%rsp)
    mov \offset + OSP_FRAME_FLAGS(%rsp), %rax
    mov %rax, \offset + OSP_FRAME_R11(%rsp)
    mov %r15, \offset(%rsp)
    mov %r14, \offset + 8(%rsp)
    mov %r13, \offset + 16(%rsp)
    mov %r12, \offset + 24(%rsp)
    mov %rbp, \offset + 32(%rsp)
    mov %rbx, \offset + 40(%rsp)
    .endm

    .text
// System calls (SYSCALL: rcx the address behind it, r11 the flags). Those from the window are the kernel's.
    .global osp_syscall_entry
    .align 64
osp_syscall_entry:
    swapgs
    mov %rsp, %gs:OSP_PROCESSOR_USER_STACK
    mov %gs:OSP_PROCESSOR_KERNEL_STACK, %rsp
    pushq $OSP_USER_DATA
    pushq %gs:OSP_PROCESSOR_USER_STACK
    push %r11
    pushq $OSP_USER_CODE
    push %rcx
    mov %rcx, %r11
    shr $39, %r11
    cmp $OSP_WINDOW_SLOT, %r11d
    jne from_program
    sub $OSP_FRAME_RIP, %rsp         // C++ keeps the others; they are saved where somebody looks at them
    mov %rdi, OSP_FRAME_RDI(%rsp)
    mov %rsi, OSP_FRAME_RSI(%rsp)
    mov %rdx, OSP_FRAME_RDX(%rsp)
    mov %r8, OSP_FRAME_R8(%rsp)
    mov %r9, OSP_FRAME_R9(%rsp)
    mov %r10, OSP_FRAME_R10(%rsp)
    mov %r10, %rcx
    lea -OSP_NATIVE_FIRST(%rax), %r11
    cmp osp_native_call_count, %r11
    jae 1f
    call *osp_native_calls(, %r11, 8)
2:  mov %gs:OSP_PROCESSOR_CURRENT, %rcx
    cmpl $0, OSP_THREAD_ATTENTION(%rcx)
    jne 4f
    mov OSP_FRAME_RDI(%rsp), %rdi
    mov OSP_FRAME_RSI(%rsp), %rsi
    mov OSP_FRAME_RDX(%rsp), %rdx
    mov OSP_FRAME_R8(%rsp), %r8
    mov OSP_FRAME_R9(%rsp), %r9
    mov OSP_FRAME_R10(%rsp), %r10
    mov OSP_FRAME_RIP(%rsp), %rcx    // nobody changes them but on the ways below
    mov OSP_FRAME_FLAGS(%rsp), %r11
    mov OSP_FRAME_RSP(%rsp), %rsp
    swapgs
    sysretq
1:  cmp $OSP_LINUX_CALLS, %rax
    jae 3f
    call *osp_linux_calls(, %rax, 8)
    jmp 2b
3:  mov $-38, %rax                   // ENOSYS
    jmp 2b
4:  mov %rax, OSP_FRAME_RAX(%rsp)
    save_others 0
    .global osp_leave_kernel
osp_leave_kernel:                    // with all registers from the frame
    mov %gs:OSP_PROCESSOR_CURRENT, %rax
    cmpl $0, OSP_THREAD_ATTENTION(%rax)
    je 5f
    mov %rsp, %rdi
    call osp_attend
5:  pop_registers
    cmp %rcx, 16(%rsp)               // with SYSRET if rcx and r11 are what it would destroy anyway
    jne 6f
    cmp %r11, 32(%rsp)
    jne 6f
    mov 40(%rsp), %rsp
    swapgs
    sysretq
6:  add $16, %rsp
    swapgs
    iretq

// Calls that look at all registers of ring 3, or change them.
    .global osp_call_clone, osp_call_clone3, osp_call_upcall_return, osp_call_resume
osp_call_clone:
    save_others 8
    jmp osp_clone
osp_call_clone3:
    save_others 8
    jmp osp_clone3
osp_call_upcall_return:
    save_others 8
    add $8, %rsp
    call osp_upcall_return
    mov %rax, OSP_FRAME_RAX(%rsp)
    jmp osp_leave_kernel
osp_call_resume:
    save_others 8
    add $8, %rsp
    call osp_resume
    mov %rax, OSP_FRAME_RAX(%rsp)
    jmp osp_leave_kernel

// A program's call: on to the core's entry, in the program's registers.
from_program:
    mov %gs:OSP_PROCESSOR_CURRENT, %r11
    mov OSP_THREAD_SYSCALL_ENTRY(%r11), %r11
    test %r11, %r11
    jz 1f
    mov %r11, (%rsp)
    mov 16(%rsp), %r11
    movq $0x202, 16(%rsp)
    swapgs
    iretq
1:  mov 16(%rsp), %r11
    mov $-38, %rax                   // nobody serves it: ENOSYS
    swapgs
    iretq

// A thread's first way out: the thread that ran before is left behind.
    .global osp_thread_start
osp_thread_start:
    xor %ebp, %ebp
    call osp_finish_switch
    jmp osp_leave_kernel

    .global osp_idle_start
osp_idle_start:
    xor %ebp, %ebp
    call osp_finish_switch
    call osp_idle
    ud2

// Exceptions and interrupts.
    .align 16
trap_common:
    push_registers
    cld
    clac
    testb $3, OSP_FRAME_CS(%rsp)
    jz 1f
    swapgs
    xor %ebp, %ebp
1:  mov %rsp, %rdi
    call osp_trap
    testb $3, OSP_FRAME_CS(%rsp)
    jz 2f
    mov %gs:OSP_PROCESSOR_CURRENT, %rax
    cmpl $0, OSP_THREAD_ATTENTION(%rax)
    je 3f
    mov %rsp, %rdi
    call osp_attend
3:  pop_registers
    add $16, %rsp
    swapgs
    iretq
2:  pop_registers
    add $16, %rsp
    iretq

    .global osp_trap_stubs
    .align 16
osp_trap_stubs:
    .set vector, 0
    .rept 256
    .align 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

// Everything here may touch memory that ring 3 names: where it cannot be had, the call answers EFAULT (osp_trap). No
// stack is used in between.
    .section .user_copy, "ax"

// long osp_copy(void* to, const void* from, size_t size)
    .global osp_copy
    .align 16
osp_copy:
    stac
    mov %rdx, %rcx
    shr $3, %rcx
    rep movsq
    mov %edx, %ecx
    and $7, %ecx
    rep movsb
    clac
    xor %eax, %eax
    ret

// long osp_copy_line(void* to, const void* from): 64 bytes
    .global osp_copy_line
    .align 16
osp_copy_line:
    stac
    .irp at, 0, 16, 32, 48
    mov \at(%rsi), %rax
    mov \at + 8(%rsi), %rcx
    mov %rax, \at(%rdi)
    mov %rcx, \at + 8(%rdi)
    .endr
    clac
    xor %eax, %eax
    ret

// long osp_load_word(const uint32_t* from, uint32_t* to)
    .global osp_load_word
osp_load_word:
    stac
    mov (%rdi), %eax
    clac
    mov %eax, (%rsi)
    xor %eax, %eax
    ret

// long osp_store_word(uint32_t* to, uint32_t value)
    .global osp_store_word
osp_store_word:
    stac
    mov %esi, (%rdi)
    clac
    xor %eax, %eax
    ret

    .text
    .global osp_copy_failed
osp_copy_failed:
    clac
    mov $-14, %rax                   // EFAULT
    ret

    .section .note.GNU-stack, "", @progbits
