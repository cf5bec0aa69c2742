/* To be copied (cpuid.h): the table, of records of 32 bytes (CpuidAnswer), follows the end. */
        .section .rodata
        .globl osp_cpuid_routine
        .globl osp_cpuid_routine_count
        .globl osp_cpuid_routine_end
        .p2align 4
osp_cpuid_routine:
        leaq -128(%rsp), %rsp
        pushq %rdx
        pushfq
        pushq %rsi
        leaq osp_cpuid_routine_end(%rip), %rsi
        movl osp_cpuid_routine_count(%rip), %edx
1:      cmpl %eax, (%rsi)
        jne 2f
        movl %ecx, %ebx
        xorl 4(%rsi), %ebx
        testl %ebx, 8(%rsi)
        jz 3f
2:      addq $32, %rsi
        decl %edx
        jnz 1b
        cpuid
        jmp 4f
3:      movl 12(%rsi), %eax
        movl 16(%rsi), %ebx
        movl 20(%rsi), %ecx
        movl 24(%rsi), %edx
4:      popq %rsi
        popfq
        ret $128
        .p2align 2
osp_cpuid_routine_count:
        .long 0
        .p2align 4
osp_cpuid_routine_end:

        .section .note.GNU-stack, "", @progbits
