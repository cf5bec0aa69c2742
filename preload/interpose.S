/* libc's functions that enter the core by a jump of their own: as fast as a call site of libc's that has been
 * patched, but from the first call on. README.md has the figures. */
        .text

        .weak __libc_single_threaded
        .weak __errno_location
        .hidden osp_interpose

        .macro begin name, alias
        .globl \name
        .type \name, @function
        .p2align 6
        .ifnc \name, \alias
        .globl \alias
        .set \alias, \name
        .endif
\name:
        .cfi_startproc
        .endm

        /* A system call with the function's arguments, in its order. To the core rcx says where to go on: behind
         * a syscall instruction, which an interrupted call begins again from (libosp/signal/deliver.cc). It also
         * serves while there is no core yet. */
        .macro enter name, number
        movl $\number, %eax
        movq %rcx, %r10
        cmpb $0, osp_interpose(%rip)
        je 3f
        leaq 2f(%rip), %rcx
        jmp *%gs:8
3:      syscall
2:      cmpq $-4096, %rax
        ja osp_interpose_failed
        ret
        .cfi_endproc
        .size \name, . - \name
        .endm

        .macro direct name, alias, number
        begin \name, \alias
        enter \name, \number
        .endm

        /* A cancellation point, which only libc can be: with several threads all is left to libc's function, by
         * its other name. A thread that cancels itself is cancelled at libc's next point. */
        .macro leave_to_libc original
        .weak \original
        movq __libc_single_threaded@GOTPCREL(%rip), %rax
        testq %rax, %rax
        je 1f
        cmpb $0, (%rax)
        jne 4f
1:      jmp *\original@GOTPCREL(%rip)
4:
        .endm

        .macro cancellable name, alias, original, number
        begin \name, \alias
        leave_to_libc \original
        enter \name, \number
        .endm

        cancellable read, read, __read, 0
        cancellable write, write, __write, 1
        cancellable close, close, __close, 3
        cancellable pread, pread64, __pread64, 17
        cancellable pwrite, pwrite64, __pwrite64, 18
        direct stat, stat64, 4
        direct fstat, fstat64, 5
        direct lstat, lstat64, 6
        direct lseek, lseek64, 8
        direct access, access, 21
        direct readlink, readlink, 89
        direct fstatat, fstatat64, 262

        /* The mode is an argument only with O_CREAT or O_TMPFILE. */
        begin open, open64
        leave_to_libc __open64
        testl $0x400040, %esi
        jnz 5f
        xorl %edx, %edx
5:      enter open, 2

        .type osp_interpose_failed, @function
osp_interpose_failed:
        .cfi_startproc
        pushq %rax
        .cfi_adjust_cfa_offset 8
        call *__errno_location@GOTPCREL(%rip)
        popq %rcx
        .cfi_adjust_cfa_offset -8
        negl %ecx
        movl %ecx, (%rax)
        movq $-1, %rax
        ret
        .cfi_endproc
        .size osp_interpose_failed, . - osp_interpose_failed

        .section .note.GNU-stack, "", @progbits
