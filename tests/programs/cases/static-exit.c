//: about: C: the smallest programs: no libc start-up, direct system calls, exit statuses, output without a newline
//: link: static
//: cflags: -nostdlib -fno-stack-protector -O2
//: on: host pip
static long call(long n, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

// What the kernel leaves on the stack: argc, argv, envp, the auxiliary vector; all of it is walked.
__attribute__((used)) void begin(unsigned long *stack) {
  unsigned long argc = stack[0], *at = stack + 1 + argc + 1;
  int aligned = ((unsigned long)stack & 15) == 0, page = 0;
  while (*at) at++;
  for (at++; at[0]; at += 2)
    if (at[0] == 6) page = at[1] == 4096;
  call(1, 1, (long)"bare", 4);
  call(1, 2, (long)(aligned && page && argc == 1 ? "right" : "wrong"), 5);
  call(60, 77, 0, 0);
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n hlt");
