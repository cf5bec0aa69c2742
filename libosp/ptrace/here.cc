#include "libosp/ptrace/here.h"

#include <unordered_map>

#include "libosp/ptrace/stop.h"
#include "libosp/ptrace/watch.h"

namespace osp::ptrace {
namespace {

constexpr int mark_of_request = 0x6f7372;

std::unordered_map<const task::Thread*, Tracee> tracees;

}  // namespace

Tracee::Tracee() = default;
Tracee::~Tracee() = default;

Here& here() {
  [[gnu::section(".hot_data")]] static Here the_one;
  return the_one;
}

Tracee* find_tracee(const task::Thread& thread) {
  const auto found = tracees.find(&thread);
  return found == tracees.end() ? nullptr : &found->second;
}

bool add_tracee(task::Thread& thread, Slot* slot) {
  if (slot == nullptr) return false;
  tracees[&thread].slot = slot;
  return true;
}

void remove_tracee(const task::Thread& thread) { tracees.erase(&thread); }
void forget_tracees() { tracees.clear(); }

siginfo_t trap_request() {
  siginfo_t info = {};
  info.si_signo = SIGKILL, info.si_errno = mark_of_request;
  return info;
}

bool is_trap_request(const siginfo_t& info) { return info.si_signo == SIGKILL && info.si_errno == mark_of_request; }

}  // namespace osp::ptrace
