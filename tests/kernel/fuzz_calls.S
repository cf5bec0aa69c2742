// See fuzz.cc.
    .text
    .global fuzz_call
fuzz_call:
    push %rbx
    mov %rdi, %rax
    mov %rdi, %rbx
    mov 40(%rsi), %r9
    mov 32(%rsi), %r8
    mov 24(%rsi), %r10
    mov 16(%rsi), %rdx
    mov (%rsi), %rdi
    mov 8(%rsi), %rsi
    syscall
    cmp $56, %rbx                    // clone
    je 1f
    cmp $435, %rbx                   // clone3
    jne 2f
1:  test %rax, %rax
    jnz 2f
    mov $60, %eax                    // exit, without a stack
    xor %edi, %edi
    syscall
2:  pop %rbx
    ret

    .global fuzz_begin, fuzz_recover
fuzz_begin:
    and $-16, %rsp
    mov %rsp, (%rsi)
fuzz_recover:
    call fuzz_loop
    ud2

    .section .note.GNU-stack, "", @progbits
