//: about: C: call sites that are made, called, jumped into, unmapped and made anew, in many processes; a handler sees the program's own code
//: link: both
#include "try.h"
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

static const size_t page = 4096;
static volatile sig_atomic_t ticks, foreign;
static uintptr_t made_at;

// mov $number, %eax; syscall; ret
static long (*make(unsigned char *at, int number))(long, long, long) {
  static const unsigned char mov = 0xb8, rest[] = {0x0f, 0x05, 0xc3};
  memset(at, 0x90, 128);
  memcpy(at + 128, &mov, 1);
  memcpy(at + 129, &number, 4);
  memcpy(at + 133, rest, 3);
  return (long (*)(long, long, long))(uintptr_t)(at + 128);
}

static unsigned char *map_at(void *where, int fixed) {
  void *at = mmap(where, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
  NEED(at == MAP_FAILED ? -1 : 0);
  return at;
}

// The instruction before a syscall stays what it is to a jump that goes to the syscall itself.
static long call_inside(uintptr_t syscall_at, long number) {
  long result;
  __asm__ volatile("call *%1" : "=a"(result) : "r"(syscall_at), "a"(number) : "rcx", "r11", "memory");
  return result;
}

static void made_anew(void) {
  unsigned char *code = map_at(NULL, 0);
  for (int round = 0; round < 4; round++) {
    int number = round % 2 ? SYS_getpid : SYS_close, wrong = 0;
    long (*call)(long, long, long) = make(code, number);
    for (int i = 0; i < 100; i++) wrong += call(-1, 0, 0) != (round % 2 ? getpid() : -EBADF);
    for (int i = 0; i < 100; i++) wrong += call_inside((uintptr_t)code + 133, SYS_gettid) != getpid();
    printf("round %d: wrong %d\n", round, wrong);
    if (round == 0) {
      NEED(munmap(code, page));
      code = map_at(code, MAP_FIXED_NOREPLACE);
    } else {
      code = map_at(code, MAP_FIXED);
    }
  }
}

static int holds(struct dl_phdr_info *info, size_t size, void *address) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (info->dlpi_phdr[i].p_type == PT_LOAD && *(uintptr_t *)address - start < info->dlpi_phdr[i].p_memsz) return 1;
  }
  return 0;
}

static void on_tick(int n, siginfo_t *info, void *data) {
  uintptr_t rip = (uintptr_t)((ucontext_t *)data)->uc_mcontext.gregs[REG_RIP];
  foreign += rip - made_at >= page && !dl_iterate_phdr(holds, &rip);
  ticks++;
  (void)n, (void)info;
}

// Wherever a signal comes, the program counter lies in the program's code.
static void seen_by_handlers(void) {
  struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
  unsigned char *code = map_at(NULL, 0);
  made_at = (uintptr_t)code;
  long (*call)(long, long, long) = make(code, SYS_getpid);
  int wrong = 0;
  for (int i = 0; i < 100; i++) wrong += call(0, 0, 0) != getpid();
  NEED(sigaction(SIGALRM, &action, NULL));
  struct itimerval quick = {{0, 100}, {0, 100}}, none = {{0, 0}, {0, 0}};
  NEED(setitimer(ITIMER_REAL, &quick, NULL));
  while (ticks < 1000) wrong += call(0, 0, 0) != getpid();
  NEED(setitimer(ITIMER_REAL, &none, NULL));
  printf("under signals: wrong %d, foreign %d\n", wrong, (int)foreign);
}

static int code_of_libc(struct dl_phdr_info *info, size_t size, void *range) {
  (void)size;
  uintptr_t wanted = (uintptr_t)getppid, *found = range;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    if (wanted - start >= info->dlpi_phdr[i].p_memsz || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
    found[0] = start & ~(page - 1), found[1] = (start + info->dlpi_phdr[i].p_memsz + page - 1) & ~(page - 1);
  }
  return found[0] != 0;
}

// Raw calls, for libc's code is being moved about.
static long raw(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

// The code that a process runs stays what it is: after calls that fail, after it has been moved there and back, and
// where a part of it is another mapping now.
static int moved_about(void) {
  uintptr_t code[2] = {0, 0};
  dl_iterate_phdr(code_of_libc, code);
  long size = (long)(code[1] - code[0]), at = (long)code[0], wrong = 0;
  wrong += raw(SYS_munmap, at + 1, size, 0, 0, 0, 0) != -EINVAL;
  wrong += raw(SYS_mmap, at, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, 999, 0) != -EBADF;
  wrong += raw(SYS_mremap, at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at + 1, 0) != -EINVAL;
  wrong += getppid() <= 0 || access("/", F_OK) != 0;
  long there = raw(SYS_mmap, 0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  wrong += raw(SYS_mremap, at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, there, 0) != there;
  wrong += ((pid_t(*)(void))((uintptr_t)getppid - code[0] + (uintptr_t)there))() <= 0;
  wrong += raw(SYS_mremap, there, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at, 0) != at;
  for (int i = 0; i < 50; i++) wrong += getppid() <= 0 || access("/", F_OK) != 0;
  pid_t child = split();
  if (child == 0) leave(access("/", F_OK) == 0 ? 0 : 1);
  int status = -1;
  wrong += waitpid(child, &status, 0) != child || status != 0;
  // Page by page it becomes a copy of itself.
  unsigned char *copy = map_at(NULL, 0);
  for (long offset = 0; offset < size; offset += (long)page) {
    memcpy(copy, (void *)(at + offset), page);
    if (((uintptr_t)memcpy & ~(page - 1)) == (uintptr_t)(at + offset)) continue;
    raw(SYS_mremap, (long)copy, (long)page, (long)page, MREMAP_MAYMOVE | MREMAP_FIXED, at + offset, 0);
    copy = (unsigned char *)raw(SYS_mmap, 0, (long)page, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  for (int i = 0; i < 50; i++) wrong += getppid() <= 0 || access("/", F_OK) != 0;
  return wrong != 0;
}

// One of many processes with the same libc: each call of it is right, wherever a signal comes. Every third has other
// credentials from then on, if it may.
static int one_of_many(int which) {
  struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
  struct itimerval quick = {{0, 100}, {0, 100}}, none = {{0, 0}, {0, 0}};
  int wrong = 0, ends[2], zero = (int)NEED(open("/dev/zero", O_RDONLY));
  pid_t parent = getppid();
  NEED(sigaction(SIGALRM, &action, NULL));
  NEED(setitimer(ITIMER_REAL, &quick, NULL));
  if (which % 3 == 0 && getuid() == 0) NEED(setuid(65534));
  while (ticks < 20) {
    char byte = 1;
    NEED(pipe(ends));
    wrong += getppid() != parent || read(zero, &byte, 1) != 1 || byte != 0;
    wrong += write(ends[1], "x", 1) != 1 || read(ends[0], &byte, 1) != 1 || byte != 'x';
    wrong += lseek(zero, 0, SEEK_CUR) != 0 || close(ends[0]) != 0 || close(ends[1]) != 0 || close(-1) != -1;
    wrong += access("/", F_OK) != 0 || umask(022) == (mode_t)-1 || sched_yield() != 0;
  }
  NEED(setitimer(ITIMER_REAL, &none, NULL));
  pid_t child = split();
  if (child == 0) leave(getppid() != parent && access("/", F_OK) == 0 ? 0 : 1);
  int status = -1;
  wrong += waitpid(child, &status, 0) != child || status != 0;
  if (which % 4 == 1) wrong += moved_about();
  return wrong != 0 || foreign != 0;
}

static void many_processes(char *self) {
  volatile int failed = 0;
  for (volatile int i = 0; i < 40; i++) {
    char which[8];
    char *arguments[] = {self, which, NULL};
    snprintf(which, sizeof which, "%d", i);
    pid_t child = 0;
    int status = -1;
    fflush(stdout);
    if ((child = i % 2 ? split() : vfork()) == 0) {
      execv(self, arguments);
      _exit(126);
    }
    failed += waitpid(child, &status, 0) != child || status != 0;
  }
  printf("of many processes %d failed\n", failed);
}

int main(int argc, char **argv) {
  if (argc > 1) return one_of_many(atoi(argv[1]));
  made_anew();
  seen_by_handlers();
  many_processes(argv[0]);
  return 0;
}
