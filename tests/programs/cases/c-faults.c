//: about: C: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP: siglongjmp out, repair, alternate stack, changed registers
//: link: both
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf back;
static char alternate[65536];
static char *page;
static volatile int repaired;

static void jump(int n, siginfo_t *info, void *context) {
  (void)context;
  char here;
  int on_alternate = &here > alternate && &here < alternate + sizeof alternate;
  printf("signal %d code %d alternate stack %d\n", n, info->si_code, on_alternate);
  siglongjmp(back, n);
}

static void repair(int n, siginfo_t *info, void *context) {
  (void)context;
  char *at = (char *)((unsigned long)info->si_addr & ~4095ul);
  if (n != SIGSEGV || mprotect(at, 4096, PROT_READ | PROT_WRITE) != 0) _exit(98);
  repaired++;
}

// Steps over the two bytes of `ud2`, and answers in rax, rbx and xmm0.
static void step_over(int n, siginfo_t *info, void *context) {
  (void)n;
  (void)info;
  ucontext_t *u = context;
  u->uc_mcontext.gregs[REG_RIP] += 2;
  u->uc_mcontext.gregs[REG_RAX] = 1234;
  u->uc_mcontext.gregs[REG_RBX] += 1;
  u->uc_mcontext.fpregs->_xmm[0].element[0] = 77;
}

static void handle(int n, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  NEED(sigaction(n, &action, NULL));
}

static int overflow(volatile int n) {
  volatile char big[4096];
  big[n % 4096] = (char)n;
  return n ? overflow(n + 1) + big[7] : 0;
}

static void catch(const char *name, void (*body)(void)) {
  if (sigsetjmp(back, 1) == 0) {
    body();
    printf("%s: no fault\n", name);
  } else {
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("%s: caught, segv blocked %d\n", name, sigismember(&mask, SIGSEGV));
  }
}

static void null_read(void) { (void)*(volatile int *)NULL; }
static void null_call(void) { ((void (*)(void))(volatile long){0})(); }
static void kernel_address(void) { (void)*(volatile int *)0xffffffff81000000ul; }
static void not_canonical(void) { (void)*(volatile int *)0x1234567812345678ul; }
static void write_text(void) { *(volatile char *)(void *)null_read = 1; }
static void execute_data(void) { ((void (*)(void))(void *)alternate)(); }
static void divide(void) { __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx" ::: "eax", "ecx", "edx"); }
static void illegal(void) { __asm__ volatile("ud2"); }
static void privileged(void) { __asm__ volatile("hlt"); }
static void stack_overflow(void) { overflow(1); }
static void trap(void) { __asm__ volatile("int3"); }
static void past_the_end(void) {
  int fd = (int)NEED(open("short", O_RDWR | O_CREAT, 0600));
  NEED(ftruncate(fd, 10));
  volatile char *m = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  (void)m[4096];
}

static void *in_thread(void *arg) {
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  NEED(sigaltstack(&stack, NULL));
  catch("in a thread", null_read);
  return arg;
}

int main(void) {
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
  setvbuf(stdout, NULL, _IONBF, 0);
  NEED(sigaltstack(&stack, NULL));
  int all[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  for (int i = 0; i < 5; i++) handle(all[i], jump, SA_ONSTACK);
  for (int i = 0; i < 3; i++) catch("null read", null_read);
  catch("null call", null_call);
  catch("kernel address", kernel_address);
  catch("address not canonical", not_canonical);
  catch("write to text", write_text);
  catch("execute data", execute_data);
  catch("divide", divide);
  catch("ud2", illegal);
  catch("hlt", privileged);
  catch("stack overflow", stack_overflow);
  catch("past the end", past_the_end);
  catch("int3", trap);
  NEED(sigaltstack(NULL, &old));
  printf("stack set %d, size %zu\n", old.ss_sp == alternate, old.ss_size);
  stack.ss_flags = SS_DISABLE;
  NEED(sigaltstack(&stack, NULL));
  pthread_t thread;
  pthread_create(&thread, NULL, in_thread, NULL);
  pthread_join(thread, NULL);

  handle(SIGSEGV, repair, 0);
  page = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long sum = 0;
  for (int i = 0; i < 16 * 4096; i += 512) sum += page[i] = (char)(i / 512);
  printf("repaired %d sum %ld\n", repaired, sum);
  for (int i = 0; i < 200; i++) {
    NEED(mprotect(page, 4096, PROT_READ));
    page[i] = 1;
  }
  printf("repaired %d\n", repaired);

  handle(SIGILL, step_over, 0);
  long rax = 5, rbx = 6, r12 = 7;
  int xmm[4] = {1, 2, 3, 4};
  __asm__ volatile("movdqu %3, %%xmm0; ud2; movdqu %%xmm0, %3"
                   : "+a"(rax), "+b"(rbx), "+r"(r12), "+m"(xmm)::"xmm0", "memory");
  printf("rax %ld rbx %ld r12 %ld xmm %d %d\n", rax, rbx, r12, xmm[0], xmm[1]);
  for (int i = 0; i < 5; i++) {
    pid_t child = split();
    if (child == 0) {
      for (int j = 0; j < 5; j++) signal(all[j], SIG_DFL);
      void (*bodies[])(void) = {null_read, illegal, divide, trap, past_the_end};
      bodies[i]();
      leave(1);
    }
    show_end("child", child);
  }
  signal(SIGSEGV, SIG_IGN);
  raise(SIGSEGV);
  null_read();
}
