//: about: C: arguments that Linux refuses, calls to a thread by its tid as to the process, SIGSYS ignored, clone3, personality
//: libs: -pthread
#include "try.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static volatile sig_atomic_t taken;
static void take(int signo) { taken += signo; }

static void *by_tid(void *unused) {
  signal(SIGUSR1, take);
  TRY(kill((pid_t)syscall(SYS_gettid), SIGUSR1));  // the process that the thread is of
  siginfo_t info = {.si_code = SI_QUEUE};
  TRY(syscall(SYS_rt_sigqueueinfo, syscall(SYS_gettid), SIGUSR2, &info));
  return unused;
}

static void signals(void) {
  pthread_t thread;
  signal(SIGUSR2, take);
  pthread_create(&thread, NULL, by_tid, NULL);
  pthread_join(thread, NULL);
  printf("taken: %d\n", (int)taken);
  signal(SIGSYS, SIG_IGN);
  TRY(kill(getpid(), SIGSYS));
  signal(SIGSYS, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  TRY(signalfd(-2, &none, 0));
}

static void memory(void) {
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("mremap without MAYMOVE: %d\n", mremap(page, 4096, 4096, MREMAP_FIXED, page + 4096) == MAP_FAILED);
  printf("mmap past the end: %d\n",
         mmap((void *)-4096L, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
  printf("munmap past the end: %d\n", munmap((void *)-4096L, 8192) == -1);
}

// What is no socket, opened by the core itself.
static void no_socket(void) {
  const int fd = (int)NEED(open("/proc/self/maps", O_RDONLY));
  TRY(accept(fd, NULL, NULL));
  TRY(faccessat(fd, "below", F_OK, 0));
  close(fd);
  TRY(accept(fd, NULL, NULL));
}

static void futexes(void) {
  uint32_t word = 0, other = 0;
  TRY(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, -1, 0L, &other, 0));
  TRY(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 0, -1L, &other, 0));
}

// CLONE_CLEAR_SIGHAND: what was caught is not, what was ignored stays so.
static void cleared_handlers(void) {
  struct clone_args wanted = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
  struct sigaction of_one, of_two;
  int status = 0;
  signal(SIGUSR1, take), signal(SIGUSR2, SIG_IGN);
  fflush(stdout);
  const long child = syscall(SYS_clone3, &wanted, sizeof wanted);
  if (child == 0) {
    sigaction(SIGUSR1, NULL, &of_one), sigaction(SIGUSR2, NULL, &of_two);
    raise(SIGUSR2);
    if (of_one.sa_handler == SIG_DFL && of_two.sa_handler == SIG_IGN) raise(SIGUSR1);
    _exit(1);
  }
  NEED(waitpid((pid_t)child, &status, 0));
  printf("cleared handlers: %x\n", status);
  signal(SIGUSR1, SIG_DFL), signal(SIGUSR2, SIG_DFL);
}

static void processes(void) {
  int pidfd = -1;
  struct clone_args wanted = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGCHLD};
  fflush(stdout);
  const long child = syscall(SYS_clone3, &wanted, sizeof wanted);
  if (child == 0) _exit(7);
  siginfo_t info = {0};
  TRY(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  printf("clone3: %d %d\n", info.si_pid == child, info.si_status);
  TRY(syscall(SYS_clone3, &wanted, 8));
  const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  const uint64_t wrong[] = {CLONE_THREAD, CLONE_SIGHAND, CLONE_VM | CLONE_THREAD, thread | SIGCHLD, thread | CLONE_DETACHED,
                            CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND, CLONE_FS | CLONE_NEWNS};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct clone_args refused = {.flags = wrong[i]};
    TRY(syscall(SYS_clone3, &refused, sizeof refused));
  }
  struct clone_args with_signal = {.flags = thread, .exit_signal = SIGCHLD};
  TRY(syscall(SYS_clone3, &with_signal, sizeof with_signal));
  TRY(personality(ADDR_NO_RANDOMIZE));
  printf("personality: %x\n", (unsigned)personality(0xffffffff));
}

// By an fd that cannot be read, and with flags that do not exist.
static void execution(void) {
  const int fd = (int)NEED(open("/bin/true", O_PATH));
  char *const words[] = {"true", NULL};
  TRY(syscall(SYS_execveat, AT_FDCWD, "/bin/true", words, NULL, 1));
  const pid_t pid = split();
  if (pid == 0) {
    syscall(SYS_execveat, fd, "", words, NULL, AT_EMPTY_PATH);
    _exit(9);
  }
  show_end("execveat", pid);
}

// RLIMIT_SIGPENDING refuses real-time signals only.
static void full_queue(void) {
  const struct rlimit none = {0, 0};
  NEED(setrlimit(RLIMIT_SIGPENDING, &none));
  signal(SIGUSR1, take);
  TRY(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN + 1));
  TRY(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
}

static void no_way_in(void) {
  NEED(mkdir("closed", 0600));
  if (geteuid() != 0) TRY(chroot("closed"));
  if (geteuid() != 0) TRY(chroot("."));
}

int main(void) {
  signals();
  memory();
  no_socket();
  futexes();
  processes();
  cleared_handlers();
  execution();
  no_way_in();
  full_queue();
}
