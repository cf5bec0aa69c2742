//: about: C: ptrace(2): stops for signals, calls, steps, forks, threads, exec and exit; registers, memory; attach, seize, listen
//: doors: run
//: link: both
#include "try.h"
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

static volatile long word = 41;
static volatile int handled;

static void count(int signo) {
  (void)signo;
  handled++;
}

// Prints a wait status without what differs each time; its value, or -1.
static int show_status(const char *what, pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid) {
    printf("%s: no report %s\n", what, strerrorname_np(errno));
    return -1;
  }
  if (WIFSTOPPED(status))
    printf("%s: stop %d event %d\n", what, WSTOPSIG(status), status >> 16);
  else if (WIFSIGNALED(status))
    printf("%s: killed by %d\n", what, WTERMSIG(status));
  else
    printf("%s: exit %d\n", what, WEXITSTATUS(status));
  return status;
}

static pid_t traced(void (*body)(void)) {
  pid_t pid = split();
  if (pid == 0) {
    NEED(ptrace(PTRACE_TRACEME, 0, 0, 0));
    raise(SIGSTOP);
    body();
    _exit(7);
  }
  show_status("first", pid);
  return pid;
}

static void raise_some(void) {
  signal(SIGUSR1, count);
  raise(SIGUSR1);
  raise(SIGUSR2);
  raise(SIGCHLD);
  _exit(handled);
}

static void signals(void) {
  puts("-- signals");
  pid_t pid = traced(raise_some);
  siginfo_t info;
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("usr1", pid);
  TRY(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
  printf("info %d code %d own %d\n", info.si_signo, info.si_code, info.si_pid == pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, SIGUSR1));
  show_status("usr2", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, SIGUSR1));  // another in its place
  show_status("chld", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("end", pid);
  pid = traced(raise_some);
  TRY(ptrace(PTRACE_CONT, pid, 0, SIGTERM));
  show_status("term", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
}

static void make_calls(void) {
  syscall(SYS_getppid);
  char byte = 'x';
  if (syscall(SYS_write, 1, &byte, 0) != 5) _exit(1);
  syscall(SYS_close, -1);
  _exit(3);
}

static void calls(void) {
  puts("-- calls");
  pid_t pid = traced(make_calls);
  TRY(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
  for (int i = 0; i < 20; i++) {
    struct user_regs_struct regs;
    struct __ptrace_syscall_info about = {};
    int status = 0;
    NEED(ptrace(PTRACE_SYSCALL, pid, 0, 0));
    NEED(waitpid(pid, &status, 0));
    if (!WIFSTOPPED(status)) {
      printf("end %#x\n", status);
      return;
    }
    NEED(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    long size = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof about, &about);
    long nr = (long)regs.orig_rax, result = (long)regs.rax;
    if (nr != SYS_getppid && nr != SYS_write && nr != SYS_close && nr != SYS_exit_group) continue;
    printf("%d nr %ld op %d size %ld rax %ld\n", WSTOPSIG(status), nr, about.op, size, nr == SYS_getppid ? 0 : result);
    if (nr == SYS_getppid && about.op == PTRACE_SYSCALL_INFO_EXIT) printf("parent %d\n", result == getpid());
    if (nr == SYS_write && about.op == PTRACE_SYSCALL_INFO_EXIT) {
      regs.rax = 5;
      NEED(ptrace(PTRACE_SETREGS, pid, 0, &regs));
    }
    if (nr == SYS_close && about.op == PTRACE_SYSCALL_INFO_ENTRY) {
      regs.orig_rax = SYS_getpid;  // another call
      NEED(ptrace(PTRACE_SETREGS, pid, 0, &regs));
    }
  }
}

static void wait_for_poke(void) {
  raise(SIGUSR1);
  _exit(word == 42 ? 0 : 1);
}

static void memory(void) {
  puts("-- memory and registers");
  pid_t pid = traced(wait_for_poke);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("usr1", pid);
  errno = 0;
  TRY(ptrace(PTRACE_PEEKDATA, pid, &word, 0));
  TRY(ptrace(PTRACE_POKEDATA, pid, &word, 42));
  errno = 0;
  long text = ptrace(PTRACE_PEEKTEXT, pid, (void *)wait_for_poke, 0);
  printf("text %d errno %d\n", text == *(long *)(void *)wait_for_poke, errno);
  TRY(ptrace(PTRACE_POKETEXT, pid, (void *)wait_for_poke, text));
  TRY(ptrace(PTRACE_PEEKDATA, pid, 8, 0));
  struct user_regs_struct regs, again;
  struct iovec io = {&again, sizeof again};
  TRY(ptrace(PTRACE_GETREGS, pid, 0, &regs));
  TRY(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io));
  printf("same %d size %zu cs %#llx ss %#llx\n", !memcmp(&regs, &again, sizeof regs), io.iov_len, regs.cs, regs.ss);
  printf("word %d\n", (unsigned long long)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0) == regs.rip);
  struct user_fpregs_struct fp;
  TRY(ptrace(PTRACE_GETFPREGS, pid, 0, &fp));
  printf("cwd %#x mxcsr %#x\n", fp.cwd, fp.mxcsr);
  TRY(ptrace(PTRACE_SETFPREGS, pid, 0, &fp));
  static char state[16384];
  io = (struct iovec){state, sizeof state};
  TRY(ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io));
  printf("state %d\n", io.iov_len >= 576);
  TRY(ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io));
  TRY(ptrace(PTRACE_SETOPTIONS, pid, 0, 0x40000000));
  TRY(ptrace(PTRACE_CONT, pid, 0, 1000));
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("end", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
}

__asm__(".globl few\nfew: nop\nnop\nmov $39, %eax\nsyscall\nnop\nret\n.globl trap\ntrap: int3\nret\n");
void few(void);
void trap(void);

static void step_some(void) {
  trap();
  few();
  trap();
  signal(SIGUSR1, count);
  raise(SIGUSR1);
  _exit(handled);
}

static void steps(void) {
  puts("-- steps");
  pid_t pid = traced(step_some);
  struct user_regs_struct regs;
  siginfo_t info;
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("trap", pid);
  NEED(ptrace(PTRACE_GETREGS, pid, 0, &regs));
  NEED(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
  printf("behind it %lld code %d\n", regs.rip - (unsigned long)trap, info.si_code);
  for (int i = 0; i < 200; i++) {
    NEED(ptrace(PTRACE_SINGLESTEP, pid, 0, 0));
    int status = 0;
    NEED(waitpid(pid, &status, 0));
    NEED(ptrace(PTRACE_GETREGS, pid, 0, &regs));
    unsigned long at = regs.rip - (unsigned long)few;
    if (WSTOPSIG(status) != SIGTRAP) printf("stop %d\n", WSTOPSIG(status));
    if (at < 12) printf("few+%lu rax %d\n", at, at == 9 && (pid_t)regs.rax == pid);
    if (regs.rip == (unsigned long)trap) break;
  }
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("trap", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("usr1", pid);
  TRY(ptrace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
  show_status("handler", pid);
  NEED(ptrace(PTRACE_GETREGS, pid, 0, &regs));
  printf("at the handler %d, signal %lld\n", regs.rip == (unsigned long)count, regs.rdi);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("end", pid);
}

static void watched(void) {
  trap();
  word++;
  word += 0;
  _exit(5);
}

static void watch(void) {
  puts("-- debug registers");
  pid_t pid = traced(watched);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("trap", pid);
  TRY(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), &word));
  TRY(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0x90001));
  TRY(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), -8L));
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  int status = 0;
  NEED(waitpid(pid, &status, 0));
  if (WIFSTOPPED(status)) {  // virtual machines may have registers that do nothing
    siginfo_t info;
    NEED(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
    long hit = ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0) & 15;
    long value = ptrace(PTRACE_PEEKDATA, pid, &word, 0);
    if (info.si_code != 4 || hit != 1 || value != 42) printf("code %d hit %ld value %ld\n", info.si_code, hit, value);
    NEED(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0));
    NEED(ptrace(PTRACE_CONT, pid, 0, 0));
    NEED(waitpid(pid, &status, 0));
  }
  printf("end %#x\n", status);
}

static void *thread_body(void *arg) { return arg; }

static void be_born(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(11);
  waitpid(pid, NULL, 0);
  pid = vfork();
  if (pid == 0) _exit(12);
  waitpid(pid, NULL, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, thread_body, NULL);
  pthread_join(thread, NULL);
  execl("/bin/true", "true", NULL);
  _exit(1);
}

static void births(void) {
  puts("-- births");
  pid_t pid = traced(be_born), born[4];
  int known = 0, seen[4][8] = {}, ends = 0;
  TRY(ptrace(PTRACE_SETOPTIONS, pid, 0,
             PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACECLONE |
                 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT));
  NEED(ptrace(PTRACE_CONT, pid, 0, 0));
  for (;;) {
    int status = 0;
    pid_t who = (pid_t)waitpid(-1, &status, __WALL);
    if (who == -1) break;
    int event = status >> 16;
    unsigned long message = 0;
    if (WIFSTOPPED(status) && event != 0) NEED(ptrace(PTRACE_GETEVENTMSG, who, 0, &message));
    if (who == pid) {
      if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGCHLD && event == 0) {
        NEED(ptrace(PTRACE_CONT, who, 0, SIGCHLD));
        continue;
      }
      if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) born[known++] = (pid_t)message;
      printf("parent: status %#x event %d message %ld\n", status & 0xffff, event,
             event == PTRACE_EVENT_EXIT ? (long)message : event == PTRACE_EVENT_EXEC ? (long)message == pid : message > 1);
      if (!WIFSTOPPED(status)) break;
    } else if (event == 0 && !WIFSTOPPED(status)) {
      ends++;
    } else {
      seen[0][event & 7]++;
    }
    if (WIFSTOPPED(status)) NEED(ptrace(PTRACE_CONT, who, 0, 0));
  }
  printf("born %d differ %d; of children: first stops %d exits %d ends %d\n", known, born[0] != born[1] && born[1] != born[2],
         seen[0][0], seen[0][PTRACE_EVENT_EXIT], ends);
}

static void exec_true(void) { execl("/bin/true", "true", NULL); }

static void exec_stop(void) {
  puts("-- exec without options");
  pid_t pid = traced(exec_true);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  show_status("exec", pid);
  TRY(ptrace(PTRACE_DETACH, pid, 0, 0));
  show_status("end", pid);
}

static int gate[2];

static pid_t blocked_reader(void) {
  int ready[2];
  NEED(pipe(gate));
  NEED(pipe(ready));
  pid_t pid = split();
  if (pid == 0) {
    char byte = 0;
    close(gate[1]);
    NEED(write(ready[1], "r", 1));
    _exit(read(gate[0], &byte, 1) == 1 ? byte : 99);
  }
  char byte;
  NEED(read(ready[0], &byte, 1));
  close(ready[0]), close(ready[1]), close(gate[0]);
  return pid;
}

static void attach(void) {
  puts("-- attach");
  pid_t pid = blocked_reader();
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  TRY(ptrace(PTRACE_ATTACH, pid, 0, 0));
  TRY(ptrace(PTRACE_ATTACH, pid, 0, 0));
  show_status("stop", pid);
  struct user_regs_struct regs;
  NEED(ptrace(PTRACE_GETREGS, pid, 0, &regs));
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  TRY(kill(pid, SIGSTOP));
  show_status("again", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, SIGSTOP));
  show_status("group", pid);
  siginfo_t info;
  TRY(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
  TRY(ptrace(PTRACE_DETACH, pid, 0, 0));
  NEED(kill(pid, SIGCONT));
  NEED(write(gate[1], "\x05", 1));
  close(gate[1]);
  show_status("end", pid);
  TRY(ptrace(PTRACE_ATTACH, getpid(), 0, 0));
  TRY(ptrace(PTRACE_ATTACH, 0x3ffffff, 0, 0));
  TRY(ptrace(PTRACE_ATTACH, pid, 0, 0));
}

static char state_of(pid_t pid) {
  char path[40], state = '?';
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1) puts("no state");
  if (file != NULL) fclose(file);
  return state;
}

// Attached to while job control has it stopped, it can be looked at at once; let go, it is stopped again.
static void stopped(int seized) {
  puts("-- stopped");
  int status = 0;
  pid_t pid = blocked_reader();
  NEED(kill(pid, SIGSTOP));
  if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) puts("not stopped");
  TRY(ptrace(seized ? PTRACE_SEIZE : PTRACE_ATTACH, pid, 0, 0));
  if (!seized) {
    TRY(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), 2));
    printf("debug register %ld\n", ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[0]), 0));
  }
  show_status("stop", pid);
  TRY(ptrace(PTRACE_DETACH, pid, 0, 0));
  while (state_of(pid) != 'T') usleep(1000);
  NEED(kill(pid, SIGCONT));
  NEED(write(gate[1], "\x07", 1));
  close(gate[1]);
  show_status("end", pid);
}

// What is remembered of a tracee that was killed while it was stopped is not the next one's.
static void after_a_killed_one(void) {
  puts("-- after a killed one");
  int status = 0;
  pid_t pid = blocked_reader();
  NEED(kill(pid, SIGSTOP));
  NEED(waitpid(pid, &status, WUNTRACED));
  NEED(ptrace(PTRACE_ATTACH, pid, 0, 0));
  show_status("stop", pid);
  NEED(kill(pid, SIGKILL));
  show_status("killed", pid);
  close(gate[1]);
  pid = blocked_reader();
  NEED(ptrace(PTRACE_ATTACH, pid, 0, 0));
  show_status("stop", pid);
  NEED(ptrace(PTRACE_DETACH, pid, 0, 0));
  NEED(write(gate[1], "\x08", 1));
  close(gate[1]);
  if (waitpid(pid, &status, WUNTRACED) == pid) printf("goes on %d, exits with %d\n", WIFEXITED(status), WEXITSTATUS(status));
  if (WIFSTOPPED(status)) kill(pid, SIGKILL);
}

static void seize(void) {
  puts("-- seize");
  pid_t pid = blocked_reader();
  TRY(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
  TRY(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
  show_status("interrupt", pid);
  TRY(ptrace(PTRACE_LISTEN, pid, 0, 0));
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  TRY(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
  show_status("again", pid);
  TRY(ptrace(PTRACE_CONT, pid, 0, 0));
  NEED(write(gate[1], "\x06", 1));
  close(gate[1]);
  siginfo_t info = {};
  TRY(waitid(P_PID, (id_t)pid, &info, WEXITED));
  printf("waitid code %d status %d\n", info.si_code, info.si_status);
}

// A tracee that is no child: its end is told to the tracer, and then to its parent.
static void stranger(void) {
  puts("-- stranger");
  pid_t pid = blocked_reader();
  pid_t tracer = split();
  if (tracer == 0) {
    TRY(ptrace(PTRACE_SEIZE, pid, 0, 0));
    NEED(write(gate[1], "\x07", 1));
    show_status("tracee", pid);
    leave(0);
  }
  close(gate[1]);
  show_status("tracer", tracer);
  show_status("child", pid);
}

static void kill_with_tracer(void) {
  puts("-- a tracer that is killed");
  int told[2];
  NEED(pipe(told));
  pid_t pid = blocked_reader();
  pid_t tracer = split();
  if (tracer == 0) {
    NEED(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL));
    NEED(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    NEED(waitpid(pid, NULL, __WALL));
    NEED(write(told[1], "t", 1));
    for (;;) pause();
  }
  char byte;
  NEED(read(told[0], &byte, 1));
  NEED(kill(tracer, SIGKILL));
  show_status("tracer", tracer);
  show_status("tracee", pid);
}

int main(void) {
  signals();
  calls();
  memory();
  steps();
  watch();
  births();
  exec_stop();
  attach();
  stopped(0);
  stopped(1);
  after_a_killed_one();
  seize();
  stranger();
  kill_with_tracer();
  return 0;
}
