//: about: C: xmm, ymm, zmm, k, mxcsr, x87 and general registers survive system calls, signals and thread switches
//: link: both
//: libs: -lm
#include "try.h"
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

// All that a system call must leave alone, but what the call itself names.
struct State {
  unsigned char zmm[32][64];
  unsigned long k[8];
  unsigned long general[6];  // rbx r12 r13 r14 r15 rbp
  unsigned int mxcsr;
  unsigned short fcw;
} __attribute__((aligned(64)));

static int has_avx, has_avx512;
static volatile int ticks;

#define Z(n) "vmovdqu64 " #n "*64(%[in]), %%zmm" #n "\n"
#define ZS(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%[out])\n"
#define Y(n) "vmovdqu " #n "*64(%[in]), %%ymm" #n "\n"
#define YS(n) "vmovdqu %%ymm" #n ", " #n "*64(%[out])\n"
#define X(n) "movdqu " #n "*64(%[in]), %%xmm" #n "\n"
#define XS(n) "movdqu %%xmm" #n ", " #n "*64(%[out])\n"
#define K(n) "kmovq 2048+" #n "*8(%[in]), %%k" #n "\n"
#define KS(n) "kmovq %%k" #n ", 2048+" #n "*8(%[out])\n"
#define SIXTEEN(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define UPPER(M) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)
#define MASKS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)

// Loads the state at `in`, makes the system call, and stores the state at `out`; all in one piece
// of assembly, so that no compiled code lies between. rsi and rdi are not compared.
#define CALL_WITH(load, store)                                                                              \
  __asm__ volatile(                                                                                         \
      "lea -256(%%rsp), %%rsp\n push %%rbp\n push %%rbx\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"                       \
      "mov %[in], %%rcx\n mov %[out], %%r11\n push %%r11\n push %%rcx\n"                                    \
      "ldmxcsr 2160(%[in])\n fldcw 2164(%[in])\n" load                                                      \
      "mov 2112(%[in]), %%rbx\n mov 2120(%[in]), %%r12\n mov 2128(%[in]), %%r13\n"                          \
      "mov 2136(%[in]), %%r14\n mov 2144(%[in]), %%r15\n mov 2152(%[in]), %%rbp\n"                          \
      "mov 16(%[args]), %%rdx\n mov 24(%[args]), %%r10\n mov 32(%[args]), %%r8\n"                           \
      "mov 8(%[args]), %%rsi\n mov 0(%[args]), %%rdi\n syscall\n"                                           \
      "pop %%rcx\n pop %[out]\n" store                                                                      \
      "mov %%rbx, 2112(%[out])\n mov %%r12, 2120(%[out])\n mov %%r13, 2128(%[out])\n"                       \
      "mov %%r14, 2136(%[out])\n mov %%r15, 2144(%[out])\n mov %%rbp, 2152(%[out])\n"                       \
      "stmxcsr 2160(%[out])\n fnstcw 2164(%[out])\n"                                                        \
      "pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbx\n pop %%rbp\n lea 256(%%rsp), %%rsp\n"                             \
      : "+a"(result), [out] "+r"(out_), [in] "+r"(in_), [args] "+r"(args_)                                  \
      :                                                                                                     \
      : "rcx", "rdx", "r8", "r10", "r11", "memory", "cc")

static long call_with(const struct State *in, struct State *out, long number, const long *args) {
  register long result = number;
  register struct State *out_ __asm__("r9") = out;
  register const struct State *in_ __asm__("rsi") = in;
  register const long *args_ __asm__("rdi") = args;
  if (has_avx512)
    CALL_WITH(SIXTEEN(Z) UPPER(Z) MASKS(K), SIXTEEN(ZS) UPPER(ZS) MASKS(KS));
  else if (has_avx)
    CALL_WITH(SIXTEEN(Y), SIXTEEN(YS));
  else
    CALL_WITH(SIXTEEN(X), SIXTEEN(XS));
  return result;
}

static void fill(struct State *s, unsigned seed) {
  unsigned char *bytes = (unsigned char *)s;
  for (size_t i = 0; i < sizeof *s; i++) bytes[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
  s->mxcsr = 0x1f80 | (seed & 0x6000);  // all exceptions masked, one of four roundings
  s->fcw = (unsigned short)(0x037f | (seed & 0x0c00));
}

static int same(const struct State *a, const struct State *b) {
  size_t vector = has_avx512 ? 64 : has_avx ? 32 : 16;
  for (int i = 0; i < (has_avx512 ? 32 : 16); i++)
    if (memcmp(a->zmm[i], b->zmm[i], vector) != 0) return 0;
  if (has_avx512 && memcmp(a->k, b->k, sizeof a->k) != 0) return 0;
  return memcmp(a->general, b->general, sizeof a->general) == 0 && a->mxcsr == b->mxcsr && a->fcw == b->fcw;
}

static struct State before, after;
static _Thread_local int wrong;

static void check(const char *name, long number, long a, long b, long c, long d, long e) {
  const long args[] = {a, b, c, d, e};
  int bad = 0;
  for (unsigned i = 0; i < 50; i++) {
    fill(&before, i * 7 + (unsigned)number);
    memset(&after, 0, sizeof after);
    call_with(&before, &after, number, args);
    bad += !same(&before, &after);
  }
  printf("%s: %s\n", name, bad ? "CHANGED" : "kept");
}

static void trash(int n) {
  (void)n;
  ticks = ticks + 1;
  if (has_avx512)
    __asm__ volatile("vpternlogd $255, %%zmm0, %%zmm0, %%zmm0; vmovdqa64 %%zmm0, %%zmm20; kxorq %%k3, %%k3, %%k3" ::
                         : "xmm0", "memory");
  else if (has_avx)
    __asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0; vmovdqa %%ymm0, %%ymm9" ::: "xmm0", "xmm9");
  else
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm9" ::: "xmm0", "xmm9");
  unsigned int mxcsr = 0x3f80;
  __asm__ volatile("ldmxcsr %0; fninit" ::"m"(mxcsr));
  volatile double d = sqrt(2.0 + n);
  (void)d;
  getppid();
}

// Each thread keeps its own state through many switches, by yields, sleeps and a fast timer.
static void *switcher(void *arg) {
  struct State *in = aligned_alloc(64, sizeof *in * 2), *out = in + 1;
  const long none[5] = {0};
  struct timespec nap = {0, 1000};
  const long sleep[] = {(long)&nap, 0, 0, 0, 0};
  for (unsigned i = 0; i < 300; i++) {
    fill(in, i * 16 + (unsigned)(long)arg);
    if (i % 10 == 0)
      call_with(in, out, SYS_nanosleep, sleep);
    else
      call_with(in, out, SYS_sched_yield, none);
    wrong += !same(in, out);
  }
  free(in);
  return (void *)(long)wrong;
}

// A sum whose order of rounding shows any lost vector or control word.
static double compute(long n) {
  double sum = 0, x[8] = {1, 2, 3, 4, 5, 6, 7, (double)n};
  for (int i = 0; i < 3000000; i++) {
    for (int j = 0; j < 8; j++) x[j] = x[j] * 0.999 + 1.0 / (j + 1);
    sum += x[i & 7];
  }
  long double y = sum;
  for (int i = 0; i < 1000; i++) y = y / 1.0000001L + 1;
  return (double)y;
}

static void *computer(void *arg) {
  double *result = malloc(sizeof *result);
  *result = compute((long)arg);
  return result;
}

static void threads(void) {
  pthread_t t[8];
  long sum = 0;
  for (long i = 0; i < 8; i++) pthread_create(&t[i], NULL, i % 2 ? computer : switcher, (void *)i);
  for (int i = 0; i < 8; i++) {
    void *result;
    pthread_join(t[i], &result);
    if (i % 2)
      printf("thread %d: %.17g\n", i, *(double *)result);
    else
      sum += (long)result;
  }
  printf("switches: %s\n", sum ? "CHANGED" : "kept");
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  has_avx = __builtin_cpu_supports("avx");
  has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  char buffer[4096];
  int p[2], zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  NEED(pipe(p));
  check("getppid", SYS_getppid, 0, 0, 0, 0, 0);
  check("getpid", SYS_getpid, 0, 0, 0, 0, 0);
  check("gettid", SYS_gettid, 0, 0, 0, 0, 0);
  check("read", SYS_read, zero, (long)buffer, 4096, 0, 0);
  check("write", SYS_write, null, (long)buffer, 4096, 0, 0);
  check("pipe write", SYS_write, p[1], (long)buffer, 10, 0, 0);
  check("pipe read", SYS_read, p[0], (long)buffer, 10, 0, 0);
  check("pread", SYS_pread64, zero, (long)buffer, 100, 0, 0);
  check("stat", SYS_newfstatat, AT_FDCWD, (long)"/usr", (long)buffer, 0, 0);
  check("open", SYS_openat, AT_FDCWD, (long)"/nonexistent/name", O_RDONLY, 0, 0);
  check("clock_gettime", SYS_clock_gettime, CLOCK_MONOTONIC, (long)buffer, 0, 0, 0);
  check("nanosleep", SYS_nanosleep, (long)&(struct timespec){0, 1000}, 0, 0, 0, 0);
  check("sched_yield", SYS_sched_yield, 0, 0, 0, 0, 0);
  check("mmap", SYS_mmap, 0, 4096, 1, 0x22, -1);
  check("brk", SYS_brk, 0, 0, 0, 0, 0);
  check("futex wake", SYS_futex, (long)buffer, 1, 1, 0, 0);
  check("sigprocmask", SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)buffer, 8, 0);
  check("poll", SYS_poll, 0, 0, 1, 0, 0);
  check("getcwd", SYS_getcwd, (long)buffer, 4096, 0, 0, 0);
  check("no such call", 5555, 0, 0, 0, 0, 0);
  check("bad pointer", SYS_read, zero, 8, 4096, 0, 0);
  signal(SIGUSR1, trash);
  check("kill", SYS_kill, getpid(), SIGUSR1, 0, 0, 0);
  signal(SIGALRM, trash);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 500}, {0, 500}}, NULL);
  check("getppid under a timer", SYS_getppid, 0, 0, 0, 0, 0);
  printf("alone: %.17g\n", compute(3));
  threads();
  setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
  printf("ticked %d\n", ticks > 10);
}
