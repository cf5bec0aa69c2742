//: about: C: a pty's sessions, foreground groups, ^C and ^Z from the master, SIGTTIN, SIGTTOU, window size, hang-up, raw mode
//: link: both
#include "try.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave, report[2];
static volatile sig_atomic_t got;

static void note(int n) { got = n; }

static void tell(const char *text) { NEED(write(report[1], text, strlen(text) + 1)); }

// Waits for the next report of the child, and prints it.
static void hear(void) {
  char text[100];
  int length = 0;
  do NEED(read(report[0], &text[length], 1) == 1 ? 0 : -1);
  while (text[length++] && length < 99);
  printf("child: %s\n", text);
}

static pid_t session(void (*body)(void)) {
  NEED(openpty(&master, &slave, NULL, NULL, &(struct winsize){24, 80, 0, 0}));
  pid_t pid = split();
  if (pid == 0) {
    close(master);
    NEED(setsid());
    NEED(ioctl(slave, TIOCSCTTY, 0));
    for (int i = 0; i < 3; i++) NEED(dup2(slave, i));
    body();
    _exit(0);
  }
  close(slave);
  return pid;
}

static void plain(void) {
  char line[100];
  struct winsize size;
  struct termios t;
  struct pollfd input = {0, POLLIN, 0};
  sigset_t set, none;
  sigemptyset(&none);
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGWINCH);
  signal(SIGINT, note);
  signal(SIGWINCH, note);
  sigprocmask(SIG_BLOCK, &set, NULL);
  snprintf(line, sizeof line, "leader %d foreground %d tty %d", getsid(0) == getpid(), tcgetpgrp(0) == getpid(), isatty(0));
  tell(line);
  ssize_t n = read(0, line, sizeof line);
  line[n > 0 ? n - 1 : 0] = 0;
  tell(line);
  n = ppoll(&input, 1, NULL, &none);
  snprintf(line, sizeof line, "interrupted %d by %d", n == -1 && errno == EINTR, got);
  tell(line);
  n = ppoll(&input, 1, NULL, &none);
  NEED(ioctl(0, TIOCGWINSZ, &size));
  snprintf(line, sizeof line, "interrupted %d by %d, now %dx%d", n == -1, got, size.ws_row, size.ws_col);
  tell(line);
  snprintf(line, sizeof line, "end of file %zd", read(0, line, sizeof line));
  tell(line);
  NEED(tcgetattr(0, &t));
  cfmakeraw(&t);
  NEED(tcsetattr(0, TCSANOW, &t));
  tell("raw");
  n = read(0, line, 1);
  snprintf(line, sizeof line, "raw byte %zd %d", n, line[0]);
  tell(line);
}

static void type(const char *text, size_t size) { NEED(write(master, text, size)); }

static void jobs(void) {
  signal(SIGTTOU, SIG_IGN);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    signal(SIGTTOU, SIG_DFL);
    setpgid(0, 0);
    raise(SIGSTOP);
    _exit(read(0, &c, 1) == 1 ? c : 99);
  }
  int status;
  char line[100];
  setpgid(pid, pid);
  NEED(waitpid(pid, &status, WUNTRACED));
  snprintf(line, sizeof line, "stopped by %d", WSTOPSIG(status));
  tell(line);
  NEED(kill(-pid, SIGCONT));
  NEED(waitpid(pid, &status, WUNTRACED));
  snprintf(line, sizeof line, "background read stopped by %d", WSTOPSIG(status));
  tell(line);
  NEED(tcsetpgrp(0, pid));
  NEED(kill(-pid, SIGCONT));
  tell("foreground");
  NEED(waitpid(pid, &status, WUNTRACED));
  snprintf(line, sizeof line, "typed: stopped %d by %d", WIFSTOPPED(status), WSTOPSIG(status));
  tell(line);
  NEED(kill(-pid, SIGCONT));
  tell("again");
  NEED(waitpid(pid, &status, 0));
  snprintf(line, sizeof line, "typed: signalled %d by %d, foreground mine %d", WIFSIGNALED(status), WTERMSIG(status),
           tcgetpgrp(0) == getpgrp());
  tell(line);
  NEED(tcsetpgrp(0, getpgrp()));
  signal(SIGHUP, note);
  signal(SIGCONT, SIG_IGN);
  tell("waiting");
  while (got != SIGHUP) poll(NULL, 0, 10);
  char c;
  snprintf(line, sizeof line, "hung up, read %zd", read(0, &c, 1));
  tell(line);
}

static void *idles(void *stop) {
  while (!*(volatile int *)stop) usleep(2000);
  return NULL;
}

// VMIN and VTIME: a read that ends without input, while another thread runs.
static void timed_reads(void) {
  struct termios raw;
  pthread_t thread;
  volatile int stop = 0;
  char c[4] = "";
  NEED(openpty(&master, &slave, NULL, NULL, NULL));
  NEED(tcgetattr(slave, &raw));
  cfmakeraw(&raw);
  pthread_create(&thread, NULL, idles, (void *)&stop);
  for (int vtime = 0; vtime < 2; vtime++) {
    raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = (cc_t)vtime;
    NEED(tcsetattr(slave, TCSANOW, &raw));
    TRY(read(slave, c, sizeof c));
    TRY(write(master, "ab", 2));
    TRY(read(slave, c, sizeof c));
    TRY(read(slave, c, sizeof c));
  }
  raw.c_cc[VMIN] = 3, raw.c_cc[VTIME] = 1;
  NEED(tcsetattr(slave, TCSANOW, &raw));
  TRY(write(master, "ab", 2));
  TRY(read(slave, c, sizeof c));
  stop = 1;
  pthread_join(thread, NULL);
  close(master);
  close(slave);
}

int main(void) {
  timed_reads();
  NEED(pipe(report));
  pid_t pid = session(plain);
  hear();
  type("typed line\n", 11);
  hear();
  type("\003", 1);
  hear();
  NEED(ioctl(master, TIOCSWINSZ, &(struct winsize){30, 100, 0, 0}));
  hear();
  type("\004", 1);
  hear();
  hear();
  type("\003", 1);
  hear();
  show_end("plain", pid);
  pid = session(jobs);
  for (int i = 0; i < 3; i++) hear();
  type("\032", 1);
  hear();
  hear();
  type("\003", 1);
  for (int i = 0; i < 2; i++) hear();
  close(master);
  hear();
  show_end("jobs", pid);
}
