/* The way out of the core to the program and back. Raw: no stack of the program's is touched.
 *
 * Exit is restartable: between osp_exit_begin and osp_exit_end nothing is written but registers, the
 * worker's iret frame and its note of fs, so a signal that comes there sends rip back to osp_exit_restart
 * (raw_handler.cc). The core finds its own thread-local data by gs (scripts/core-segment): fs stays the program's. */
#include "libosp/trap/layout.h"

        /* Room for each host thread's trap::Worker. */
        .section .tbss, "awT", @nobits
        .globl osp_worker
        .type osp_worker, @object
        .size osp_worker, OSP_WORKER_SIZE
        .p2align 6
osp_worker:
        .zero OSP_WORKER_SIZE

        .text

        .macro save_xmm base
        movaps %xmm0, 160(\base)
        movaps %xmm1, 176(\base)
        movaps %xmm2, 192(\base)
        movaps %xmm3, 208(\base)
        movaps %xmm4, 224(\base)
        movaps %xmm5, 240(\base)
        movaps %xmm6, 256(\base)
        movaps %xmm7, 272(\base)
        movaps %xmm8, 288(\base)
        movaps %xmm9, 304(\base)
        movaps %xmm10, 320(\base)
        movaps %xmm11, 336(\base)
        movaps %xmm12, 352(\base)
        movaps %xmm13, 368(\base)
        movaps %xmm14, 384(\base)
        movaps %xmm15, 400(\base)
        .endm

        .macro load_xmm base
        movaps 160(\base), %xmm0
        movaps 176(\base), %xmm1
        movaps 192(\base), %xmm2
        movaps 208(\base), %xmm3
        movaps 224(\base), %xmm4
        movaps 240(\base), %xmm5
        movaps 256(\base), %xmm6
        movaps 272(\base), %xmm7
        movaps 288(\base), %xmm8
        movaps 304(\base), %xmm9
        movaps 320(\base), %xmm10
        movaps 336(\base), %xmm11
        movaps 352(\base), %xmm12
        movaps 368(\base), %xmm13
        movaps 384(\base), %xmm14
        movaps 400(\base), %xmm15
        .endm

        /* All but rax, rcx, r11, rsp, rip. */
        .macro load_general base
        movq OSP_REG_RDI(\base), %rdi
        movq OSP_REG_RSI(\base), %rsi
        movq OSP_REG_RDX(\base), %rdx
        movq OSP_REG_R10(\base), %r10
        movq OSP_REG_R8(\base), %r8
        movq OSP_REG_R9(\base), %r9
        movq OSP_REG_RBX(\base), %rbx
        movq OSP_REG_RBP(\base), %rbp
        movq OSP_REG_R12(\base), %r12
        movq OSP_REG_R13(\base), %r13
        movq OSP_REG_R14(\base), %r14
        movq OSP_REG_R15(\base), %r15
        .endm

        /* void osp_resume(void) */
        .globl osp_resume
        .type osp_resume, @function
        .p2align 6
osp_resume:
        .cfi_startproc
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        movq %rsp, %rbp
        .cfi_def_cfa_register rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, %gs:osp_worker@tpoff+OSP_WORKER_CORE_RSP
        movq $0, %gs:osp_worker@tpoff+OSP_WORKER_IN_CORE
        .globl osp_exit_begin
        .globl osp_exit_restart
osp_exit_begin:
osp_exit_restart:
        cmpq $0, %gs:osp_worker@tpoff+OSP_WORKER_PENDING
        jne osp_exit_abort
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %rax
        movq OSP_REG_FS(%rax), %rcx
        cmpq %gs:osp_worker@tpoff+OSP_WORKER_FS, %rcx
        jne 3f
4:      movq OSP_REG_VECTOR(%rax), %rcx
        load_xmm %rcx
        load_general %rax
        cmpq $0, OSP_REG_FULL(%rax)
        jne 1f
        movq OSP_REG_RSP(%rax), %rsp
        movq OSP_REG_RIP(%rax), %rcx
        movq OSP_REG_FLAGS(%rax), %r11
        movq OSP_REG_RAX(%rax), %rax
        jmp *%rcx
1:      /* Everything, flags and all: an iretq from the worker's frame. */
        movq OSP_REG_RIP(%rax), %rcx
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_IRET
        movq $0x33, %gs:osp_worker@tpoff+OSP_WORKER_IRET+8
        movq OSP_REG_FLAGS(%rax), %rcx
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_IRET+16
        movq OSP_REG_RSP(%rax), %rcx
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_IRET+24
        movq $0x2b, %gs:osp_worker@tpoff+OSP_WORKER_IRET+32
        cmpq $0, %gs:osp_worker@tpoff+OSP_WORKER_NATIVE
        jne 2f
        movq %gs:osp_worker@tpoff+OSP_WORKER_SELF, %rsp
        leaq OSP_WORKER_IRET(%rsp), %rsp
        movq OSP_REG_RCX(%rax), %rcx
        movq OSP_REG_R11(%rax), %r11
        movq OSP_REG_RAX(%rax), %rax
        iretq
2:      /* The kernel takes the rest from the same frame. */
        movq OSP_REG_RAX(%rax), %rcx
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_IRET+40
        movq OSP_REG_RCX(%rax), %rcx
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_IRET+48
        movq OSP_REG_R11(%rax), %rcx
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_IRET+56
        movq %rdi, %gs:osp_worker@tpoff+OSP_WORKER_IRET+8
        movq %gs:osp_worker@tpoff+OSP_WORKER_SELF, %rdi
        leaq OSP_WORKER_IRET(%rdi), %rdi
        movl $OSP_NATIVE_RESUME, %eax
        syscall
3:      /* Another fiber's. Until it is set, what is noted is none: a signal may come at any instruction. */
        movb $OSP_FS_UNKNOWN_TOP, %gs:osp_worker@tpoff+OSP_WORKER_FS+7
        cmpq $0, %gs:osp_worker@tpoff+OSP_WORKER_BASES_BY_CALL
        jne 5f
        wrfsbase %rcx
6:      movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_FS
        jmp 4b
5:      /* arch_prctl(ARCH_SET_FS, rsi), which leaves all but rcx and r11 */
        movq %rcx, %rsi
        movl $0x1002, %edi
        movl $158, %eax
        syscall
        movq %rsi, %rcx
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %rax
        jmp 6b
osp_exit_abort:
        movq $1, %gs:osp_worker@tpoff+OSP_WORKER_IN_CORE
        .globl osp_exit_end
osp_exit_end:
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %rax
        movq $OSP_TRAP_NONE, OSP_REG_KIND(%rax)
osp_back_in_core:
        movq %gs:osp_worker@tpoff+OSP_WORKER_CORE_RSP, %rsp
        leaq 40(%rsp), %rbp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        .cfi_def_cfa rsp, 8
        ret
        .cfi_endproc
        .size osp_resume, . - osp_resume

        /* From a trampoline or the vDSO: rax nr, rcx the address to go on at, r11 free; all else is the
         * program's, as at a syscall instruction. The flags are not: no compiler keeps them over a call. */
        .globl osp_trap_entry
        .type osp_trap_entry, @function
        .p2align 6
osp_trap_entry:
        .globl osp_entry_begin
osp_entry_begin:
        movq $1, %gs:osp_worker@tpoff+OSP_WORKER_IN_CORE
        .globl osp_entry_end
osp_entry_end:
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %r11
        movq %rax, OSP_REG_ORIG_RAX(%r11)
        movq %rcx, OSP_REG_RIP(%r11)
        movq %rsp, OSP_REG_RSP(%r11)
        movq %rdi, OSP_REG_RDI(%r11)
        movq %rsi, OSP_REG_RSI(%r11)
        movq %rdx, OSP_REG_RDX(%r11)
        movq %r10, OSP_REG_R10(%r11)
        movq %r8, OSP_REG_R8(%r11)
        movq %r9, OSP_REG_R9(%r11)
        cld
        cmpq $OSP_FAST_CALLS, %rax
        jae 2f
        movq %gs:osp_worker@tpoff+OSP_WORKER_FAST, %rcx
        movzbl (%rcx,%rax), %eax
        testl %eax, %eax
        jnz osp_fast_path
2:      movq %rbx, OSP_REG_RBX(%r11)
        movq %rbp, OSP_REG_RBP(%r11)
        movq %r12, OSP_REG_R12(%r11)
        movq %r13, OSP_REG_R13(%r11)
        movq %r14, OSP_REG_R14(%r11)
        movq %r15, OSP_REG_R15(%r11)
        movq OSP_REG_ORIG_RAX(%r11), %rax
        movq %rax, OSP_REG_RAX(%r11)
        movq OSP_REG_RIP(%r11), %rcx
        movq %rcx, OSP_REG_RCX(%r11)
        movq $0x202, OSP_REG_FLAGS(%r11)
        movq $OSP_TRAP_SYSCALL, OSP_REG_KIND(%r11)
        movq $0, OSP_REG_FULL(%r11)
osp_entered:
        movq OSP_REG_VECTOR(%r11), %rcx
        save_xmm %rcx
        cmpq $0, %gs:osp_worker@tpoff+OSP_WORKER_BASES_BY_CALL
        jne osp_back_in_core
        rdfsbase %rcx
        movq %rcx, OSP_REG_FS(%r11)
        movq %rcx, %gs:osp_worker@tpoff+OSP_WORKER_FS
        jmp osp_back_in_core

        /* rax: the number of a function of general registers only, without libc, called on the core's stack.
         * It may decline, and if something became pending meanwhile, the exit below goes into the core proper. */
osp_fast_path:
        movq %gs:osp_worker@tpoff+OSP_WORKER_CORE_RSP, %rsp
        andq $-16, %rsp
        leaq osp_fast_answers(%rip), %rcx
        movq (%rcx,%rax,8), %rax
        movq %r10, %rcx
        call *%rax
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %r11
        movabsq $OSP_FAST_DECLINED, %rcx
        cmpq %rcx, %rax
        je 2b
        movq %rax, OSP_REG_RAX(%r11)
        movq $0, %gs:osp_worker@tpoff+OSP_WORKER_IN_CORE
        .globl osp_fast_begin
        .globl osp_fast_end
        .globl osp_fast_restart
osp_fast_begin:
osp_fast_restart:
        cmpq $0, %gs:osp_worker@tpoff+OSP_WORKER_PENDING
        jne 3f
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %r11
        movq OSP_REG_RSP(%r11), %rsp
        movq OSP_REG_RDI(%r11), %rdi
        movq OSP_REG_RSI(%r11), %rsi
        movq OSP_REG_RDX(%r11), %rdx
        movq OSP_REG_R10(%r11), %r10
        movq OSP_REG_R8(%r11), %r8
        movq OSP_REG_R9(%r11), %r9
        movq OSP_REG_RIP(%r11), %rcx
        movq OSP_REG_RAX(%r11), %rax
        jmp *%rcx
3:      movq $1, %gs:osp_worker@tpoff+OSP_WORKER_IN_CORE
osp_fast_end:
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %r11
        movq %rbx, OSP_REG_RBX(%r11)
        movq %rbp, OSP_REG_RBP(%r11)
        movq %r12, OSP_REG_R12(%r11)
        movq %r13, OSP_REG_R13(%r11)
        movq %r14, OSP_REG_R14(%r11)
        movq %r15, OSP_REG_R15(%r11)
        movq $0x202, OSP_REG_FLAGS(%r11)
        movq $OSP_TRAP_NONE, OSP_REG_KIND(%r11)
        movq $0, OSP_REG_FULL(%r11)
        jmp osp_entered
        .size osp_trap_entry, . - osp_trap_entry

        /* Where the signal handler sends the host thread when it interrupted the program: the registers
         * are saved already, the vector registers are the program's (sigreturn put them back). */
        .globl osp_trap_landing
        .type osp_trap_landing, @function
osp_trap_landing:
        cld
        movq %gs:osp_worker@tpoff+OSP_WORKER_REGS, %r11
        jmp osp_entered
        .size osp_trap_landing, . - osp_trap_landing

        /* The kernel's upcalls arrive here, on their own stack: rdi a native::Frame, right above. */
        .globl osp_upcall_entry
        .type osp_upcall_entry, @function
osp_upcall_entry:
        cld
        movq %rdi, %rbx
        andq $-16, %rsp
        call osp_upcall
        movq %rbx, %rdi
        movl $OSP_NATIVE_UPCALL_RETURN, %eax
        syscall
        hlt
        .size osp_upcall_entry, . - osp_upcall_entry

        /* long osp_blocking_syscall(nr, a, b, c, d, e, f) */
        .globl osp_blocking_syscall
        .globl osp_block_begin
        .globl osp_block_end
        .globl osp_block_interrupted
        .type osp_blocking_syscall, @function
osp_blocking_syscall:
        .cfi_startproc
        movq %rdi, %rax
        movq %rsi, %rdi
        movq %rdx, %rsi
        movq %rcx, %rdx
        movq %r8, %r10
        movq %r9, %r8
        movq 8(%rsp), %r9
osp_block_begin:
        cmpq $0, %gs:osp_worker@tpoff+OSP_WORKER_PENDING
        jne osp_block_interrupted
        syscall
osp_block_end:
        ret
osp_block_interrupted:
        movq $OSP_NOT_BEGUN, %rax
        ret
        .cfi_endproc
        .size osp_blocking_syscall, . - osp_blocking_syscall

        /* void osp_sigreturn(void): the restorer of the core's own handlers. */
        .globl osp_sigreturn
        .type osp_sigreturn, @function
osp_sigreturn:
        movl $15, %eax
        syscall
        hlt
        .size osp_sigreturn, . - osp_sigreturn

        /* long osp_user_copy(to, from, size) */
        .globl osp_user_copy
        .globl osp_user_begin
        .globl osp_user_end
        .globl osp_user_fault
        .type osp_user_copy, @function
osp_user_copy:
        .cfi_startproc
        movq %rdx, %rcx
osp_user_begin:
        rep movsb
        xorl %eax, %eax
        ret
        .cfi_endproc
        .size osp_user_copy, . - osp_user_copy

        /* long osp_user_string(to, from, size) */
        .globl osp_user_string
        .type osp_user_string, @function
osp_user_string:
        .cfi_startproc
        xorl %eax, %eax
1:      cmpq %rdx, %rax
        jae 2f
        movzbl (%rsi,%rax), %ecx
        movb %cl, (%rdi,%rax)
        testb %cl, %cl
        jz 3f
        incq %rax
        jmp 1b
2:      movq $-36, %rax
3:      ret
        .size osp_user_string, . - osp_user_string

        /* long osp_user_store(to, first, second) */
        .globl osp_user_store
        .type osp_user_store, @function
osp_user_store:
        movq %rsi, (%rdi)
        movq %rdx, 8(%rdi)
        xorl %eax, %eax
        ret
        .size osp_user_store, . - osp_user_store

        /* long osp_user_exchange(word, seen, wanted) */
        .globl osp_user_exchange
        .type osp_user_exchange, @function
osp_user_exchange:
        movl (%rsi), %eax
        lock cmpxchgl %edx, (%rdi)
        jne 1f
        xorl %eax, %eax
        ret
1:      movl %eax, (%rsi)
        movl $1, %eax
        ret
osp_user_end:
osp_user_fault:
        movq $-14, %rax
        ret
        .cfi_endproc
        .size osp_user_exchange, . - osp_user_exchange

        .section .note.GNU-stack, "", @progbits
