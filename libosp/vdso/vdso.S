/* The vDSO that programs get (vdso(7)). It holds no address of the core: a call enters the core through the
 * worker's slot, as a trampoline does, so an image restores with it. rax: the number, then the result;
 * rcx: where to go on; r11: lost. A system call's convention otherwise, which these functions' is. */
#include "libosp/vdso/protocol.h"

        .text

        .macro entry name, alias, number
        .globl \name
        .weak \alias
        .type \name, @function
        .type \alias, @function
        .p2align 4
\name:
\alias:
        .cfi_startproc
        movl $\number, %eax
        leaq 1f(%rip), %rcx
        jmp *%gs:OSP_VDSO_SLOT
1:      ret
        .cfi_endproc
        .size \name, . - \name
        .size \alias, . - \alias
        .endm

        entry __vdso_clock_gettime, clock_gettime, 228
        entry __vdso_gettimeofday, gettimeofday, 96
        entry __vdso_time, time, 201
        entry __vdso_clock_getres, clock_getres, 229
        entry __vdso_getcpu, getcpu, 309

        /* The register `number` (DWARF's) was saved at `offset` from rsp: DW_CFA_expression. */
        .macro saved number, offset
        .cfi_escape 0x10, \number, 3, 0x77, (\offset & 0x7f) | 0x80, \offset >> 7
        .endm

        /* The restorer of a signal frame. rsp points to its ucontext here; the registers are in uc_mcontext
         * (x86-64 System V ABI; offsets of struct ucontext). The rules begin one byte early, since unwinders
         * look up a return address less one; and the bytes are the ones that those without rules know. */
        .p2align 4
        .cfi_startproc simple
        .cfi_signal_frame
        /* DW_CFA_def_cfa_expression: the saved rsp, at 160. */
        .cfi_escape 0x0f, 4, 0x77, 0xa0, 0x01, 0x06
        saved 8, 40
        saved 9, 48
        saved 10, 56
        saved 11, 64
        saved 12, 72
        saved 13, 80
        saved 14, 88
        saved 15, 96
        saved 5, 104
        saved 4, 112
        saved 6, 120
        saved 3, 128
        saved 1, 136
        saved 0, 144
        saved 2, 152
        saved 7, 160
        saved 16, 168
        nop
        .globl __vdso_rt_sigreturn
        .type __vdso_rt_sigreturn, @function
__vdso_rt_sigreturn:
        movq $15, %rax
        syscall
        hlt
        .cfi_endproc
        .size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn

        .section .note.GNU-stack, "", @progbits
