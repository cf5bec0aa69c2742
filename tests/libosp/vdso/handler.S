/* Stands in for the core's entry: makes the system call and goes on at rcx. */
        .text
        .globl osp_test_entry
        .type osp_test_entry, @function
osp_test_entry:
        movq %rcx, osp_test_return(%rip)
        incq osp_test_entries(%rip)
        syscall
        movq osp_test_return(%rip), %rcx
        jmp *%rcx
        .size osp_test_entry, . - osp_test_entry

        /* void osp_test_fault(void): where the signal of the unwinding test comes. */
        .globl osp_test_fault
        .globl osp_test_fault_at
        .type osp_test_fault, @function
osp_test_fault:
        .cfi_startproc
        pushq %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset rbx, -16
        movl $0x5eed, %ebx
osp_test_fault_at:
        ud2
        popq %rbx
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size osp_test_fault, . - osp_test_fault

        .bss
        .globl osp_test_entries
        .balign 8
osp_test_return:
        .quad 0
osp_test_entries:
        .quad 0

        .section .note.GNU-stack, "", @progbits
