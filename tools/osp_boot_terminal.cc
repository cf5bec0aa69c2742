#include "tools/osp_boot_terminal.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace osp::tools {
namespace {

// From a background process group, tcsetattr(3) is allowed only to who blocks SIGTTOU.
void set_from_anywhere(const termios& mode) {
  sigset_t output, before;
  sigemptyset(&output);
  sigaddset(&output, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &output, &before);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

termios raw_of(termios mode) {
  cfmakeraw(&mode);
  return mode;
}

// Whether the terminal is as make_raw() left it, and not what a shell has made of it since.
bool is_still_raw(const termios& before) {
  termios now{};
  const termios raw = raw_of(before);
  return tcgetattr(STDIN_FILENO, &now) == 0 && now.c_lflag == raw.c_lflag && now.c_iflag == raw.c_iflag &&
         now.c_oflag == raw.c_oflag;
}

// Waits until osp-boot has told that all is well, or is dead.
[[noreturn]] void watch(int pipe, const termios& before) {
  setpgid(0, 0);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  char word = 0;
  ssize_t size = 0;
  do {
    size = read(pipe, &word, 1);
  } while (size < 0 && errno == EINTR);
  if (size == 0 && is_still_raw(before)) tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
  _exit(0);
}

}  // namespace

RawTerminal::RawTerminal(bool wanted) : wanted_(wanted && tcgetattr(STDIN_FILENO, &before_) == 0) {
  if (!wanted_) return;
  start_guard();
  make_raw();
}

RawTerminal::~RawTerminal() {
  if (!wanted_) return;
  restore();
  if (guard_pid_ <= 0) return;
  (void)!write(guard_.get(), "", 1);
  while (waitpid(guard_pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void RawTerminal::start_guard() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  guard_pid_ = fork();
  if (guard_pid_ == 0) {
    close(ends[1]);
    watch(ends[0], before_);
  }
  close(ends[0]);
  guard_ = pip::HostFd(ends[1]);
}

void RawTerminal::make_raw() const {
  if (!wanted_) return;
  const termios raw = raw_of(before_);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);  // from the background this stops us, as it should
}

void RawTerminal::restore() const {
  if (wanted_) set_from_anywhere(before_);
}

}  // namespace osp::tools
