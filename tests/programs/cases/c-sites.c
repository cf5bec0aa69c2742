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
