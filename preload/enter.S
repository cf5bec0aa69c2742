/* long osp_enter_core(ProgramStart* start, const BootBlock* block)
 * Saves where the program goes on, and calls start_core(block), which only returns on failure. The core
 * later goes on behind this call, with 0. Offsets: libosp/host/boot.h (shim.cc asserts them). */
        .text
        .globl osp_enter_core
        .hidden osp_enter_core
        .type osp_enter_core, @function
osp_enter_core:
        .cfi_startproc
        movq %rbx, 0(%rdi)
        movq %rbp, 8(%rdi)
        movq %r12, 16(%rdi)
        movq %r13, 24(%rdi)
        movq %r14, 32(%rdi)
        movq %r15, 40(%rdi)
        leaq 8(%rsp), %rax
        movq %rax, 48(%rdi)
        movq (%rsp), %rax
        movq %rax, 56(%rdi)
        movq %rsi, %rdi
        jmp osp_start_core
        .cfi_endproc
        .size osp_enter_core, . - osp_enter_core

        .section .note.GNU-stack, "", @progbits
