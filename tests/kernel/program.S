// What contracts of upcalls need in assembly.

    .section .rodata
// A program for a page outside of the window: a system call with all registers known; back to the caller with rax.
    .global test_program, test_program_end
test_program:
    push %rbx
    mov $0x1234, %eax
    mov $1, %edi
    mov $2, %esi
    mov $3, %edx
    mov $4, %r10d
    mov $5, %r8d
    mov $6, %r9d
    mov $7, %ebx
    syscall
    cmp $1, %edi
    jne 1f
    cmp $2, %esi
    jne 1f
    cmp $3, %edx
    jne 1f
    cmp $4, %r10d
    jne 1f
    cmp $6, %r9d
    jne 1f
    cmp $7, %ebx
    jne 1f
    pop %rbx
    ret
1:  mov $-1, %rax
    pop %rbx
    ret
test_program_end:

    .text
// Upcall::syscall_entry: remembers the number and answers twice it.
    .global test_syscall_entry
test_syscall_entry:
    mov %rdi, saved_rdi(%rip)
    lea test_resume(%rip), %rdi
    mov %rax, test_reflected(%rip)
    mov %rcx, (%rdi)                 // rip
    mov %r11, 16(%rdi)               // flags
    mov %rsp, 24(%rdi)
    add %rax, %rax
    mov %rax, 40(%rdi)
    mov %rcx, 48(%rdi)
    mov %r11, 56(%rdi)
    mov saved_rdi(%rip), %rax
    mov %rax, 8(%rdi)                // rdi
    mov $0x4f5002, %eax              // resume
    syscall
    ud2

// long test_keep_registers(volatile int* word): spins until *word is not 0; 1 if all registers stayed what they were.
    .global test_keep_registers
test_keep_registers:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov $1, %eax
    mov $2, %ebx
    mov $3, %ecx
    mov $4, %edx
    mov $5, %esi
    mov $6, %ebp
    mov $8, %r8d
    mov $9, %r9d
    mov $10, %r10d
    mov $11, %r11d
    mov $12, %r12d
    mov $13, %r13d
    mov $14, %r14d
    mov $15, %r15d
    movq %r15, %xmm5
    movq %r14, %xmm15
    stc
1:  cmpl $0, (%rdi)
    je 1b
    cmp $1, %eax
    jne 2f
    lea (%rbx, %rcx), %rax
    add %rdx, %rax
    add %rsi, %rax
    add %rbp, %rax
    add %r8, %rax
    add %r9, %rax
    add %r10, %rax
    add %r11, %rax
    add %r12, %rax
    add %r13, %rax
    add %r14, %rax
    add %r15, %rax
    cmp $(2 + 3 + 4 + 5 + 6 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15), %eax
    jne 2f
    movq %xmm5, %rax
    cmp $15, %eax
    jne 2f
    movq %xmm15, %rax
    cmp $14, %eax
    jne 2f
    mov $1, %eax
    jmp 3f
2:  xor %eax, %eax
3:  pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .data
    .global test_resume, test_reflected
    .align 64
test_resume: .skip 64
test_reflected: .quad 0
saved_rdi: .quad 0

    .section .note.GNU-stack, "", @progbits
