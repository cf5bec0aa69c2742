// What the guard must find. Without an argument: what looks like a core to it, and then a call from elsewhere. With the
// program's PID: turns Syscall User Dispatch off in it, as only another process can.
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "libosp/host/window.h"

namespace {

constexpr int set_dispatch = 0x4210;  // PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG, Linux 6.4

struct Dispatch {
  uint64_t mode, selector, offset, length;
};

int look_like_a_core() {
  mmap(reinterpret_cast<void*>(osp::window::boot_stack), 4096, PROT_READ | PROT_WRITE,
       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  return getppid() > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int let_out(int pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) return EXIT_FAILURE;
  waitpid(pid, nullptr, __WALL);
  Dispatch off = {};
  const long done = ptrace(static_cast<__ptrace_request>(set_dispatch), pid, sizeof off, &off);
  ptrace(PTRACE_DETACH, pid, 0, 0);
  return done == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) { return argc > 1 ? let_out(std::atoi(argv[1])) : look_like_a_core(); }
