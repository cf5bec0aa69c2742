// guard COMMAND [ARGUMENT…]: runs osp-run, or a program that the core joins, and reports each system call that does not
// come from the core.
//
// A filter (seccomp(2)) hands every call from outside the core's window to this process, which lets it pass until the
// core is there: until the stack that it starts on is, which a door's last call of its own maps. From then on there is
// none in any of the processes, unless a call of the program's has gone to the host by itself. The filter looks at what
// Syscall User Dispatch lets through, so what was dispatched is not seen. The command's status is ours, but for 99:
// there was a call.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "libosp/host/window.h"

namespace {

using namespace osp;

constexpr int status_escaped = 99, status_failed = 125;
constexpr unsigned first_high = window::image >> 32, end_high = window::end >> 32;
static_assert((window::image & 0xffffffff) == 0 && (window::end & 0xffffffff) == 0, "the filter compares upper halves");

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "guard: %s: %s\n", what, std::strerror(errno));
  std::_Exit(status_failed);
}

long set_filter() {
  constexpr unsigned arch = offsetof(seccomp_data, arch), high = offsetof(seccomp_data, instruction_pointer) + 4;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, high),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, end_high, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_high, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

// What lies at an address of a process: the line of its maps; empty if nothing does.
std::string place_of(unsigned pid, unsigned long address) {
  char name[64], line[512];
  std::snprintf(name, sizeof name, "/proc/%u/maps", pid);
  std::FILE* maps = std::fopen(name, "r");
  std::string found;
  while (maps != nullptr && std::fgets(line, sizeof line, maps) != nullptr) {
    unsigned long start = 0, end = 0;
    if (std::sscanf(line, "%lx-%lx", &start, &end) == 2 && address >= start && address < end) found = line;
  }
  if (maps != nullptr) std::fclose(maps);
  return found;
}

class Guard {
 public:
  explicit Guard(int listener) : listener_(listener) {}
  [[nodiscard]] bool has_escaped() const { return escaped_; }

  void take() {
    seccomp_notif call = {};
    if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;  // who made it is gone
    const seccomp_data& data = call.data;
    core_is_there_ = core_is_there_ || !place_of(call.pid, window::boot_stack).empty();
    if (core_is_there_ && !escaped_) {
      std::fprintf(stderr, "guard: process %u made system call %d (arch %x) from %llx, outside of the core\n", call.pid,
                   data.nr, data.arch, static_cast<unsigned long long>(data.instruction_pointer));
      std::fprintf(stderr, "guard: it is in %s", place_of(call.pid, data.instruction_pointer).c_str());
    }
    escaped_ |= core_is_there_;
    seccomp_notif_resp answer = {};
    answer.id = call.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }

 private:
  int listener_;
  bool core_is_there_ = false, escaped_ = false;
};

int end_as(int status) {
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  signal(WTERMSIG(status), SIG_DFL);
  kill(getpid(), WTERMSIG(status));
  return status_failed;
}

int watch(int child, int listener) {
  Guard guard(listener);
  const int process = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (process < 0) fail("pidfd_open");
  for (bool ended = false; !ended;) {
    pollfd waits[] = {{listener, POLLIN, 0}, {process, POLLIN, 0}};
    if (poll(waits, 2, -1) < 0 && errno != EINTR) fail("poll");
    if ((waits[0].revents & POLLIN) != 0) {
      guard.take();
    } else {
      ended = waits[1].revents != 0;
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return guard.has_escaped() ? status_escaped : end_as(status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return status_failed;
  void* page = mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* listener = static_cast<volatile int*>(page);
  // It shares our table of fds until it executes: so its listener is ours. -1: not yet.
  *listener = -1;
  const long child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (child < 0) fail("clone");
  if (child == 0) {
    if (getpgrp() == getppid() && isatty(STDIN_FILENO) == 0) setpgid(0, 0);  // it is what it would be without us
    const long fd = set_filter();
    *listener = fd < 0 ? -2 : static_cast<int>(fd);  // and no call after this one but the next
    if (fd >= 0) execvp(argv[1], argv + 1);
    std::_Exit(status_failed);
  }
  while (*listener == -1 && waitpid(static_cast<int>(child), nullptr, WNOHANG) == 0) usleep(100);
  if (*listener < 0) fail("seccomp");
  signal(SIGINT, SIG_IGN);
  return watch(static_cast<int>(child), *listener);
}
