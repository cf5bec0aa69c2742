#include "libosp/ptrace/table.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>

#include <cstdlib>
#include <string>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/proc.h"
#include "libosp/host/window.h"
#include "libosp/trap/raw_handler.h"
#include "libosp/trap/trace_mark.h"

namespace osp::ptrace {

constexpr size_t most_slots = 1024;

struct Table {
  std::atomic<int> holder;      // who changes which slots are used
  std::atomic<uint32_t> count;  // slots from here on have never been used
  std::atomic<uint32_t> in_use;
  Slot slots[most_slots];
  Body bodies[most_slots];
};

namespace {

Table* the_table = nullptr;

// A holder that was killed has changed one slot at most, which a later sweep finds.
class Held {
 public:
  Held() {
    const int me = raw::getpid();
    for (int tries = 1;; ++tries) {
      int nobody = 0;
      if (the_table->holder.compare_exchange_strong(nobody, me)) return;
      raw::syscall(SYS_sched_yield);
      if (tries % 1000 == 0 && !is_alive(nobody)) the_table->holder.compare_exchange_strong(nobody, 0);
    }
  }
  ~Held() { the_table->holder = 0; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
};

// The line of a process's maps that shows the table; empty: there is none.
std::string line_of_table(int pid) {
  const std::string maps = file::host_text(fmt::format("/proc/{}/maps", pid));
  const std::string start = fmt::format("{:x}-", reinterpret_cast<uintptr_t>(the_table));
  size_t at = maps.starts_with(start) ? 0 : maps.find("\n" + start);
  if (at == std::string::npos) return {};
  if (at != 0) ++at;
  return maps.substr(at, maps.find('\n', at) - at);
}

void clear(Slot& slot) {
  slot.tracer = 0, slot.report = no_report, slot.news = 0, slot.wanted = 0;
  slot.options = 0, slot.seized = 0, slot.was_stopped = 0, slot.listed = 0, slot.mail = 0, slot.mail_pid = 0,
  slot.mail_uid = 0;
  Body& body = body_of(slot);
  body.status = 0, body.order = Order::go_on, body.message = 0, body.group_signal = 0;
  body.debug = {};
  body.executable[0] = '\0';
}

// Slots of tracees and tracers that were killed.
void sweep() {
  for (Slot& slot : the_table->slots) {
    if (slot.phase == Phase::unused) continue;
    const bool waited_for = slot.tracer != 0 && is_alive(slot.tracer);
    if (waited_for || is_alive(slot.pid)) continue;
    slot.phase = Phase::unused;
    --the_table->in_use;
  }
}

Slot* find_unused() {
  for (uint32_t i = 0; i < most_slots; ++i) {
    if (the_table->slots[i].phase != Phase::unused) continue;
    if (i >= the_table->count) the_table->count = i + 1;
    return &the_table->slots[i];
  }
  return nullptr;
}

}  // namespace

void prepare_table() {
  if (the_table != nullptr) return;
  const long at = window::map(sizeof(Table), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at < 0) std::abort();
  the_table = reinterpret_cast<Table*>(at);
}

bool is_used() { return the_table != nullptr && the_table->in_use != 0; }
size_t slot_count() { return the_table == nullptr ? 0 : the_table->count.load(); }
Slot& slot_at(size_t index) { return the_table->slots[index]; }

Body& body_of(const Slot& slot) { return the_table->bodies[&slot - the_table->slots]; }

Slot* find_slot(int tid) {
  Slot* found = nullptr;
  for_each_slot([&](Slot& slot) {
    if (slot.tid == tid) found = &slot;
  });
  return found;
}

Slot* take_slot(int pid, int tid) {
  if (the_table == nullptr) return nullptr;
  const Held held;
  if (Slot* slot = find_slot(tid); slot != nullptr && slot->pid == pid) {
    if (slot->phase != Phase::ended && slot->phase != Phase::leaving) return slot;
  }
  Slot* slot = find_unused();
  if (slot == nullptr) {
    sweep();
    slot = find_unused();
  }
  if (slot == nullptr) return nullptr;
  clear(*slot);
  slot->pid = pid, slot->tid = tid;
  slot->phase = Phase::running;
  ++the_table->in_use;
  return slot;
}

void free_slot(Slot& slot) {
  const Held held;
  if (slot.phase.exchange(Phase::unused) != Phase::unused) --the_table->in_use;
}

namespace {

bool queue(int pid, int signo) {
  siginfo_t info = {};
  info.si_signo = signo, info.si_code = SI_QUEUE, info.si_errno = trap::trace_mark;
  info.si_pid = raw::getpid();
  long result = 0;
  do {
    result = raw::syscall(SYS_rt_sigqueueinfo, pid, signo, &info);
    if (result == -EAGAIN) raw::syscall(SYS_sched_yield);
  } while (result == -EAGAIN);
  if (result == -EPERM) log::error("ptrace", "process {} is another user's and cannot be told of its tracee", pid);
  return result == 0;
}

}  // namespace

bool poke(int pid) { return queue(pid, trap::control_signal); }
bool poke_stopped(int pid) { return poke(pid) && queue(pid, SIGCONT); }

bool is_stopped_by_host(int pid) {
  const std::string stat = file::host_text(fmt::format("/proc/{}/stat", pid));
  const size_t name_end = stat.rfind(')');
  return name_end != stat.npos && stat.substr(name_end).starts_with(") T");
}

bool shares_table(int pid) {
  if (the_table == nullptr) return false;
  const std::string ours = line_of_table(raw::getpid());
  return !ours.empty() && ours == line_of_table(pid);
}

bool is_alive(int pid) {
  const long fd = raw::syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return fd != -ESRCH;
  pollfd look = {static_cast<int>(fd), POLLIN, 0};
  const timespec none = {};
  const long ended = raw::syscall(SYS_ppoll, &look, 1, &none, 0, 8);
  raw::close(static_cast<int>(fd));
  return ended != 1;  // EINTR says nothing
}

}  // namespace osp::ptrace
