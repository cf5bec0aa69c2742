//: about: C: vfork, posix_spawn and exec that fail, waitpid and SIGCHLD patterns, orphans, statuses by signals, exec's effects
//: link: both
#include "try.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static volatile int shared_by_vfork;
static volatile sig_atomic_t children;
static const char *self;

static void spawned(const char *name, const char *path, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr) {
  pid_t pid = 0;
  char *argv[] = {"argv0", "again", (char *)name, NULL}, *envp[] = {"ONLY=this", NULL};
  fflush(stdout);
  int error = posix_spawn(&pid, path, actions, attr, argv, envp);
  printf("spawn %s: %s\n", name, error ? strerrorname_np(error) : "started");
  if (!error) show_end(name, pid);
}

static void spawns(void) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attr;
  spawned("missing", "/nonexistent", NULL, NULL);
  spawned("directory", "/etc", NULL, NULL);
  spawned("no-permission", "/etc/passwd", NULL, NULL);
  int fd = open("garbage", O_CREAT | O_WRONLY, 0755);
  NEED(write(fd, "\177ELFgarbage that is no program", 30));
  close(fd);
  spawned("garbage", "./garbage", NULL, NULL);
  spawned("self", self, NULL, NULL);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 5, "/nonexistent/x", O_RDONLY, 0);
  spawned("bad-action", self, &actions, NULL);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "out", O_CREAT | O_WRONLY | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 7);
  posix_spawnattr_init(&attr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  posix_spawnattr_setsigmask(&attr, &set);
  posix_spawnattr_setpgroup(&attr, 0);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  spawned("actions", self, &actions, &attr);
}

static void vforks(void) {
  volatile int error = 0;
  fflush(stdout);
  pid_t pid = vfork();
  if (pid == 0) {
    shared_by_vfork = 42;
    execl("/nonexistent", "x", NULL);
    error = errno;
    _exit(7);
  }
  printf("vfork shares %d, exec failed with %s\n", shared_by_vfork, strerrorname_np(error));
  show_end("vfork", pid);
  for (volatile int i = 0; i < 20; i++) {
    if ((pid = vfork()) == 0) {
      execl(self, "argv0", "exit", "3", NULL);
      _exit(1);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WEXITSTATUS(status) != 3) printf("vfork %d: status %x\n", i, status);
  }
}

// CLONE_VFORK alone: the parent waits, and has its memory for itself.
static void waits_only(void) {
  int ends[2];
  char byte = 0;
  NEED(pipe(ends));
  const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    shared_by_vfork = 43;
    usleep(20000);
    NEED(write(ends[1], "x", 1));
    _exit(5);
  }
  NEED(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  TRY(read(ends[0], &byte, 1));
  printf("not shared: %d\n", shared_by_vfork);
  show_end("waited", pid);
}

// It goes on when the child has ended, though the child's own child, which waits for us, lives on.
static void grandchild(const char *what, long flags, int by_signal) {
  int ends[2];
  NEED(pipe2(ends, O_CLOEXEC));
  fflush(stdout);
  const pid_t pid = flags == 0 ? vfork() : (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
  if (pid == 0) {
    if (vfork() == 0) {
      dup2(ends[0], 0);
      execl("/bin/sh", "sh", "-c", "read word", (char *)NULL);
      _exit(1);
    }
    if (by_signal) kill(getpid(), SIGKILL);
    _exit(6);
  }
  show_end(what, pid);
  close(ends[0]), close(ends[1]);
}

static void *write_later(void *end) {
  usleep(20000);
  NEED(write(*(int *)end, "x", 1));
  return NULL;
}

// Only the thread that made the child waits: another may do what the child waits for.
static void others_go_on(void) {
  int ends[2];
  char byte = 0;
  pthread_t thread;
  NEED(pipe(ends));
  NEED(-pthread_create(&thread, NULL, write_later, &ends[1]));
  const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(read(ends[0], &byte, 1) == 1 ? 4 : 1);
  show_end("beside a thread", pid);
  pthread_join(thread, NULL);
  close(ends[0]), close(ends[1]);
}

// The child has its parent's memory, not a copy: also what it maps, unmaps and protects, and the break.
static void vfork_maps(void) {
  enum { page = 4096, sparse_pages = 100 };
  const size_t sparse_size = (size_t)1 << 30, step = sparse_size / sparse_pages / page * page;
  char* sparse = mmap(NULL, sparse_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char* three = mmap(NULL, 3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* volatile made = NULL;
  char* volatile grown = NULL;
  pid_t pid = vfork();
  if (pid == 0) {
    for (size_t i = 0; i < sparse_pages; i++) sparse[i * step] = 1;
    made = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    made[page] = 'm';
    mprotect(three + page, page, PROT_READ | PROT_WRITE);
    three[page] = 't';
    munmap(three + 2 * page, page);
    grown = sbrk(3 * page);
    grown[2 * page] = 'b';
    execl("/nonexistent", "x", NULL);
    _exit(7);
  }
  show_end("vfork", pid);
  int written = 0;
  for (size_t i = 0; i < sparse_pages; i++) written += sparse[i * step];
  printf("%d pages apart, %c %c %c, the break is %d pages on\n", written, made[page], three[page], grown[2 * page],
         (int)(((char*)sbrk(0) - grown) / page));
  made[0] = three[page] = grown[0] = 'p';
  TRY(mprotect(three + 2 * page, page, PROT_READ));
  TRY(munmap(made, 2 * page) | munmap(three, 2 * page) | munmap(sparse, sparse_size));
  TRY(sbrk(-3 * page) == grown + 3 * page);
}

enum { large = 16 << 20 };
static char read_to[large];
static volatile int reads, all_forked;

// Reads the file again and again, each time over something else.
static void *reader(void *path) {
  long wrong = 0;
  int fd = open(path, O_RDONLY);
  do {
    memset(read_to, 'o', large);
    wrong += pread(fd, read_to, 1, 0) != 1 || lseek(fd, 0, SEEK_SET) != 0 || read(fd, read_to, large) != large;
    for (long i = 0; i < large; i += 512) wrong += read_to[i] != 'n';
    reads++;
  } while (!all_forked);
  close(fd);
  return (void *)wrong;
}

// What the system writes to the parent's memory meanwhile is not lost.
static void vfork_beside_reads(void) {
  pthread_t thread;
  void *wrong;
  int fd = open("large", O_CREAT | O_WRONLY | O_TRUNC, 0600);
  memset(read_to, 'n', large);
  NEED(write(fd, read_to, large));
  close(fd);
  pthread_create(&thread, NULL, reader, "large");
  for (volatile int i = 0; i < 60 || reads < 5; i++) {
    pid_t pid = vfork();
    if (pid == 0) {
      usleep(1000);
      _exit(0);
    }
    NEED(waitpid(pid, NULL, 0));
    usleep(500);
  }
  all_forked = 1;
  pthread_join(thread, &wrong);
  printf("pages lost by reads beside vfork: %ld\n", (long)wrong);
  unlink("large");
}

static void count(int n) {
  (void)n;
  children++;
}

static void waits(void) {
  pid_t pids[6];
  for (int i = 0; i < 6; i++)
    if ((pids[i] = split()) == 0) leave(i * 10);
  for (int i = 5; i >= 0; i--) show_end("in reverse", pids[i]);
  TRY(waitpid(-1, NULL, WNOHANG));
  TRY(waitpid(1, NULL, 0));
  int gate[2];
  char c;
  NEED(pipe(gate));
  pid_t pid = split();
  if (pid == 0) {
    close(gate[1]);
    NEED(read(gate[0], &c, 1));
    leave(4);
  }
  TRY(waitpid(pid, NULL, WNOHANG));
  close(gate[1]);
  siginfo_t info;
  NEED(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  printf("waitid %d %d %d, status %d\n", info.si_signo, info.si_code, info.si_pid == pid, info.si_status);
  show_end("still there", pid);
  struct sigaction action = {.sa_handler = count};
  NEED(sigaction(SIGCHLD, &action, NULL));
  pid = split();
  if (pid == 0) {
    raise(SIGSTOP);
    leave(6);
  }
  show_end("stopped", pid);
  NEED(kill(pid, SIGCONT));
  int status;
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {}
  printf("continued: %x, children %d\n", status, children >= 2);
  signal(SIGCHLD, SIG_IGN);
  if (split() == 0) leave(1);
  TRY(wait(NULL));
  signal(SIGCHLD, SIG_DFL);
  action = (struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  NEED(sigaction(SIGCHLD, &action, NULL));
  if (split() == 0) leave(1);
  TRY(wait(NULL));
  signal(SIGCHLD, SIG_DFL);
  struct rusage usage;
  pid = split();
  if (pid == 0) leave(2);
  TRY(wait4(pid, &status, 0, &usage) == pid);
  TRY(usage.ru_maxrss > 0);
}

// What others see of a process that has executed a program (ps, pgrep).
static int shows(pid_t pid, const char *file, const char *start) {
  char path[64], text[64] = "";
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  for (int i = 0; i < 500 && strncmp(text, start, strlen(start)) != 0; i++) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    close(fd);
    usleep(10000);
  }
  return strncmp(text, start, strlen(start)) == 0;
}

static void looks(void) {
  pid_t pid = split();
  if (pid == 0) {
    char *envp[] = {"ONLY=this", NULL};
    execle("/bin/sleep", "asleep", "60", NULL, envp);
    _exit(9);
  }
  printf("cmdline %d, ", shows(pid, "cmdline", "asleep"));
  printf("environ %d, comm %d\n", shows(pid, "environ", "ONLY=this"), shows(pid, "comm", "sleep"));
  kill(pid, SIGTERM);
  show_end("asleep", pid);
}

static void deaths(void) {
  int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGSYS, 34, 64};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
    pid_t pid = split();
    if (pid == 0) {
      kill(getpid(), signals[i]);
      leave(99);
    }
    show_end("killed", pid);
  }
  int ignored[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
  for (int i = 0; i < 4; i++) {
    pid_t pid = split();
    if (pid == 0) {
      kill(getpid(), ignored[i]);
      leave(9);
    }
    show_end("ignored", pid);
  }
  pid_t pid = split();
  if (pid == 0) abort();
  show_end("abort", pid);
}

// The grandchild outlives its parent, and is told so by its parent-death signal.
static void orphan(void) {
  int told[2], gate[2];
  char text[64] = "";
  NEED(pipe(told));
  NEED(pipe(gate));
  pid_t pid = split();
  if (pid == 0) {
    pid_t parent = getpid();
    if (split() == 0) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      sigprocmask(SIG_BLOCK, &set, NULL);
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      close(gate[1]);
      int n = write(told[1], "ready", 5) == 5 ? sigwaitinfo(&set, NULL) : 0;
      n = snprintf(text, sizeof text, " signal %d, adopted %d", n, getppid() != parent);
      NEED(write(told[1], text, (size_t)n));
      leave(0);
    }
    NEED(read(told[0], text, 5));
    leave(0);
  }
  show_end("parent", pid);
  close(told[1]);
  size_t length = 0;
  for (ssize_t n; (n = read(told[0], text + length, sizeof text - 1 - length)) > 0;) length += (size_t)n;
  printf("orphan:%s\n", text);
}

// What the re-executed program finds: the state that exec keeps, and what it resets.
static int again(int argc, char **argv) {
  sigset_t mask, pending;
  struct sigaction hup, usr1;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  sigpending(&pending);
  sigaction(SIGHUP, NULL, &hup);
  sigaction(SIGUSR1, NULL, &usr1);
  printf("argv0 %s, argc %d, %s, ONLY=%s, argument %zu\n", argv[0], argc, argv[2], getenv("ONLY"), strlen(argv[argc - 1]));
  printf("fd 5 %d, fd 6 %d, fd 7 %d, usr2 blocked %d, pending %d, hup ignored %d, usr1 default %d\n", fcntl(5, F_GETFD),
         fcntl(6, F_GETFD), fcntl(7, F_GETFD), sigismember(&mask, SIGUSR2), sigismember(&pending, SIGUSR2),
         hup.sa_handler == SIG_IGN, usr1.sa_handler == SIG_DFL);
  printf("group leader %d, page size %lu, phnum %d, execfn %s, random %d, secure %lu, uid right %d\n", getpgrp() == getpid(),
         getauxval(AT_PAGESZ), getauxval(AT_PHNUM) > 4, strrchr((char *)getauxval(AT_EXECFN), '/') ? "path" : "name",
         getauxval(AT_RANDOM) != 0, getauxval(AT_SECURE), getauxval(AT_UID) == getuid());
  return 23;
}

static void prepare_exec(void) {
  NEED(dup2(1, 5));
  NEED(dup3(1, 6, O_CLOEXEC));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGHUP, SIG_IGN);
  signal(SIGUSR1, count);
  raise(SIGUSR2);
}

static void execs(void) {
  char *big = malloc(3 << 20);
  memset(big, 'x', 3 << 20);
  static char *many[10001];
  for (int mode = 0; mode < 6; mode++) {
    pid_t pid = split();
    if (pid != 0) {
      show_end("exec", pid);
      continue;
    }
    if (mode == 0) {
      prepare_exec();
      execl(self, "another name", "again", "first", NULL);
    } else if (mode == 1) {
      big[130000] = 0;
      execl(self, "large", "again", "second", big, NULL);
    } else if (mode == 2) {
      big[(3 << 20) - 1] = 0;
      TRY(execl(self, "too large", "again", "third", big, NULL));
      leave(0);
    } else if (mode == 3) {
      char *argv[] = {"by fd", "again", "fourth", NULL}, *envp[] = {"ONLY=fd", NULL};
      fexecve(open(self, O_RDONLY | O_CLOEXEC), argv, envp);
    } else if (mode == 4) {
      big[100] = 0;
      for (int i = 0; i < 10000; i++) many[i] = i == 1 ? "again" : i == 2 ? "many" : big;
      execv(self, many);
    } else {
      char *argv[] = {"at", "again", "sixth", NULL}, *envp[] = {NULL};
      syscall(SYS_execveat, open("/", O_PATH), self + 1, argv, envp, 0);
    }
    leave(98);
  }
}

static void script(const char *name, const char *text, mode_t mode) {
  FILE *f = fopen(name, "w");
  fputs(text, f);
  fclose(f);
  chmod(name, mode);
  pid_t pid = split();
  if (pid == 0) {
    execl(name, "ignored name", "one", "two three", NULL);
    printf("%s: %s\n", name, strerrorname_np(errno));
    leave(97);
  }
  show_end(name, pid);
}

static void scripts(void) {
  script("./plain", "#!/bin/sh\necho \"$0|$#|$1|$2\"\nexit 5\n", 0755);
  script("./argument", "#! /bin/sh -x  \necho traced 2>/dev/null\n", 0755);
  script("./cat", "#!/bin/cat\nshown\n", 0755);
  script("./env", "#!/usr/bin/env -S sh -u\necho env \"$@\"\n", 0755);
  script("./nested", "#!./plain inner\n", 0755);
  script("./no-interpreter", "#!/nonexistent/sh\n", 0755);
  script("./empty-interpreter", "#!\n", 0755);
  script("./no-newline", "#!/bin/echo", 0755);
  script("./no-magic", "echo no magic\n", 0755);
  script("./empty", "", 0755);
  script("./not-executable", "#!/bin/sh\n", 0644);
  script("./loop", "#!./loop\n", 0755);
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "again") == 0) return again(argc, argv);
  if (argc > 2 && strcmp(argv[1], "exit") == 0) return atoi(argv[2]);
  self = realpath("/proc/self/exe", NULL);
  spawns();
  vforks();
  waits_only();
  grandchild("a vfork's grandchild", 0, 1);
  grandchild("a waiting clone's grandchild", CLONE_VFORK | SIGCHLD, 0);
  others_go_on();
  vfork_maps();
  vfork_beside_reads();
  waits();
  looks();
  deaths();
  orphan();
  execs();
  scripts();
  fflush(stdout);
  execl(self, "last", "again", "itself", NULL);
}
