#include "libosp/native/processes.h"

#include <algorithm>

#include "base/log.h"
#include "libosp/device/terminals.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/host/host.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/fork.h"

namespace osp::native {

using task::Process;
using task::Thread;

namespace {

constexpr int init = 1;

// What runs when no process does: the idle loop asks for the process at hand.
Process& nobody() {
  static Process process;
  return process;
}

bool is_meant(const Member& child, const Member& parent, const WaitFor& wanted) {
  if (child.parent != parent.pid) return false;
  if (wanted.who == WaitFor::Who::pid) return child.pid == wanted.id;
  return wanted.who == WaitFor::Who::any || child.group == wanted.id;
}

// What `child` has to tell, told.
std::optional<int> take_change(Member& child, const WaitFor& wanted) {
  if (child.is_zombie()) return wanted.exited ? std::optional(child.wait_status) : std::nullopt;
  if (wanted.stopped && child.stop_untold) {
    child.stop_untold = wanted.keep;
    return W_STOPCODE(child.stop_signal);
  }
  if (wanted.continued && child.continue_untold) {
    child.continue_untold = wanted.keep;
    return __W_CONTINUED;
  }
  return std::nullopt;
}

// madvise(2): what a child does not get (MADV_DONTFORK), or finds empty (MADV_WIPEONFORK).
void keep_from(const Process& child, const Process& parent) {
  const auto& areas = parent.memory.areas();
  const auto is_kept = [](const auto& entry) { return entry.second.dont_fork || entry.second.wipe_on_fork; };
  if (std::ranges::none_of(areas, is_kept)) return;
  child.space->enter();
  for (const auto& [start, area] : areas) {
    if (area.dont_fork) host::unmap(start, area.end - start);
    if (area.wipe_on_fork) host::discard(start, area.end - start);
  }
  parent.space->enter();
}

}  // namespace

rusage usage_of(const Process& process) {
  rusage usage = {};
  const int64_t us = process.scheduler.processor_time_ns(process) / 1000;
  usage.ru_utime = {us / 1'000'000, us % 1'000'000};
  usage.ru_maxrss = static_cast<long>(memory::Space::use().space / 1024);
  return usage;
}

void add_usage(rusage& to, const rusage& more) {
  timeradd(&to.ru_utime, &more.ru_utime, &to.ru_utime);
  timeradd(&to.ru_stime, &more.ru_stime, &to.ru_stime);
  to.ru_maxrss = std::max(to.ru_maxrss, more.ru_maxrss);
}

Process& Processes::begin() {
  auto process = std::make_unique<Process>();
  process->pid = process->host_pid = new_id();
  process->environment = this;
  process->limits = task::default_limits();
  Member& first = add(std::move(process), init);
  first.group = first.session = first.pid;
  return *first.process;
}

Processes& Processes::of(const Process& process) { return static_cast<Processes&>(*process.environment); }

Member& Processes::add(std::unique_ptr<Process> process, int parent) {
  auto member = std::make_unique<Member>();
  member->pid = process->pid, member->parent = process->parent = parent;
  member->started_ns = task::host_now_ns();
  member->process = std::move(process);
  return *members_.emplace(member->pid, std::move(member)).first->second;
}

int Processes::new_id() {
  constexpr int most = 1 << 22;  // PID_MAX_LIMIT
  do {
    if (++next_id_ >= most) next_id_ = first_pid + 1;
  } while (members_.contains(next_id_));
  return next_id_;
}

Member* Processes::find(int pid) {
  const auto found = members_.find(pid);
  return found == members_.end() ? nullptr : found->second.get();
}

std::vector<Member*> Processes::all() {
  std::vector<Member*> list;
  for (const auto& [pid, member] : members_) list.push_back(member.get());
  return list;
}

void Processes::each_process(const std::function<void(Process&)>& see) {
  for (const auto& [pid, member] : members_)
    if (!member->is_zombie()) see(*member->process);
}

std::vector<Member*> Processes::group(int id) {
  std::vector<Member*> list = all();
  std::erase_if(list, [id](const Member* member) { return member->group != id; });
  return list;
}

Result<std::unique_ptr<Process>> Processes::copy(Thread& thread, bool borrows, int pid) {
  const Process& from = thread.process;
  auto child = std::make_unique<Process>();
  child->pid = child->host_pid = pid;
  child->environment = this;
  child->program = from.program;
  child->memory = from.memory;
  child->space = from.space;
  if (!borrows) {
    OSP_ASSIGN(child->space, memory::Space::clone());
    keep_from(*child, from);
    child->memory.forget_unforked();
  }
  child->signals.actions = from.signals.actions;
  child->patcher = std::make_unique<patch::SitePatcher>(child->memory);
  child->files = from.files->clone();
  child->names = std::make_unique<file::Names>(*from.names);
  child->umask = from.umask;
  child->clock_offset_ns = from.clock_offset_ns;
  child->trace = from.trace;
  child->credentials = from.credentials;
  child->limits = from.limits;
  child->threads.push_back(std::make_unique<Thread>(*child, pid));
  Thread& first = *child->threads.back();
  task::copy_thread(first, thread);
  first.signals.alternate = thread.signals.alternate;
  return child;
}

long Processes::fork(Thread& thread, Birth birth, const std::function<void(Thread&)>& prepare,
                     const std::function<void(const Member&)>& made) {
  auto copied = copy(thread, birth == Birth::borrows, new_id());
  if (!copied) return -copied.error().code;
  const Member& parent = member(thread.process);
  Member& child = add(std::move(*copied), parent.pid);
  child.group = parent.group, child.session = parent.session, child.nice = parent.nice;
  child.no_new_privileges = parent.no_new_privileges;
  child.is_awaited = birth != Birth::plain;
  Process& process = *child.process;
  Thread& first = *process.threads.front();
  process.scheduler.start(first, [&first, prepare] {
    prepare(first);
    task::run_thread(first);
  });
  const int pid = child.pid;
  made(child);
  if (birth != Birth::plain) {
    while (const Member* awaited = find(pid)) {
      if (!awaited->is_awaited) break;
      task::WaitQueue* const queue[] = {&find(pid)->gave_back};
      task::wait_on(thread, queue, 0, false);
    }
  }
  return pid;
}

Result<std::optional<Change>> Processes::look(Member& parent, const WaitFor& wanted) {
  bool has_child = false;
  for (const auto& [pid, child] : members_) {
    if (!is_meant(*child, parent, wanted)) continue;
    has_child = true;
    const auto status = take_change(*child, wanted);
    if (!status) continue;
    const Change change = {pid, child->uid, *status, child->usage};
    if (child->is_zombie() && !wanted.keep) {
      add_usage(parent.usage, child->usage);
      forget(pid);
    }
    return change;
  }
  if (!has_child) return fail(ECHILD);
  return std::nullopt;
}

void Processes::go_on(Member& member) {
  if (!std::exchange(member.stopped, false)) return;
  if (!member.is_zombie()) member.process->held = false;
  member.stop_untold = false, member.continue_untold = true;
  member.went_on.notify();
  tell_parent(member, CLD_CONTINUED, SIGCONT);
}

void Processes::post(Member& to, const siginfo_t& info) {
  if (to.is_zombie()) return;
  Process& process = *to.process;
  constexpr signal::Mask stops =
      signal::bit(SIGSTOP) | signal::bit(SIGTSTP) | signal::bit(SIGTTIN) | signal::bit(SIGTTOU);
  if (info.si_signo == SIGCONT) {
    process.signals.pending.remove(stops);
    go_on(to);
  } else if ((signal::bit(info.si_signo) & stops) != 0) {
    process.signals.pending.remove(signal::bit(SIGCONT));
  }
  if (info.si_signo == SIGKILL) {
    process.leave_all(W_EXITCODE(0, SIGKILL));
    to.went_on.notify();
    return;
  }
  process.send(info);
}

bool Processes::post_to_group(int group_id, const siginfo_t& info) {
  const auto members = group(group_id);
  for (Member* member : members) post(*member, info);
  return !members.empty();
}

void Processes::tell_parent(const Member& child, int code, int status) {
  Member* parent = find(child.parent);
  if (parent == nullptr || parent->is_zombie()) return;
  const signal::Action& action = parent->process->signals.actions[SIGCHLD];
  const bool job_control = code == CLD_STOPPED || code == CLD_CONTINUED;
  siginfo_t info = signal::make_info(SIGCHLD, code);
  info.si_pid = child.pid, info.si_uid = child.uid, info.si_status = status;
  if (!job_control || (action.flags & SA_NOCLDSTOP) == 0) parent->process->send(info);
  parent->children_changed.notify();
}

void Processes::forget(int pid) { members_.erase(pid); }

// The nearest of those above that takes in orphans (PR_SET_CHILD_SUBREAPER in prctl(2)).
int Processes::reaper_for(const Member& gone) {
  for (const Member* above = find(gone.parent); above != nullptr; above = find(above->parent))
    if (above->is_subreaper && !above->is_zombie()) return above->pid;
  return init;
}

void Processes::leave_children(const Member& gone) {
  const int reaper = reaper_for(gone);
  std::vector<int> unwanted;
  for (const auto& [pid, child] : members_) {
    if (child->parent != gone.pid) continue;
    child->parent = reaper;
    if (child->is_zombie()) {
      tell_parent_of_end(*child);
      if (!is_wanted(*child)) unwanted.push_back(pid);
      continue;
    }
    child->process->parent = reaper;
    if (child->parent_death_signal != 0) {
      siginfo_t info = signal::make_info(child->parent_death_signal, SI_USER);
      info.si_pid = gone.pid, info.si_uid = gone.uid;
      post(*child, info);
    }
  }
  for (const int pid : unwanted) forget(pid);
}

void Processes::tell_parent_of_end(const Member& child) {
  const int status = child.wait_status;
  const bool by_signal = WIFSIGNALED(status);
  tell_parent(child, by_signal ? CLD_KILLED : CLD_EXITED, by_signal ? WTERMSIG(status) : WEXITSTATUS(status));
}

// Whether somebody may wait for it yet.
bool Processes::is_wanted(const Member& zombie) {
  const Member* parent = find(zombie.parent);
  if (parent == nullptr) return false;
  if (parent->is_zombie()) return true;
  const signal::Action& action = parent->process->signals.actions[SIGCHLD];
  return action.handler != 1 && (action.flags & SA_NOCLDWAIT) == 0;
}

void Processes::ended(Process& process, int wait_status) {
  Member& gone = member(process);
  add_usage(gone.usage, usage_of(process));
  process.files->close_all();
  process.timers.reset();
  if (gone.pid != first_pid) process.space.reset();  // its memory goes when the worker is in another's
  gave_memory_back(process);
  if (gone.pid == first_pid) {
    if (watcher_ != nullptr) watcher_->ending();
    host::end(WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
  }
  if (gone.pid == gone.session) device::session_ended(gone.session);
  gone.wait_status = wait_status;
  gone.uid = process.credentials.uid;
  gone_.clear();
  gone_.push_back(std::move(gone.process));  // its last fiber runs for a moment yet
  task::set_process(&nobody());
  leave_children(gone);
  tell_parent_of_end(gone);
  gone.ending->happened = true;
  gone.ending->changed.notify();
  if (!is_wanted(gone)) forget(gone.pid);
}

void Processes::stopped(Process& process, int signo) {
  Member& stopping = member(process);
  stopping.stopped = stopping.stop_untold = process.held = true;
  stopping.continue_untold = false;
  stopping.stop_signal = signo;
  tell_parent(stopping, CLD_STOPPED, signo);
  if (stopping.pid == first_pid && watcher_ != nullptr) watcher_->stopped();
}

bool Processes::stay(Thread& thread) {
  Member& staying = member(thread.process);
  const bool stopped = staying.stopped;
  while (staying.stopped && !thread.exiting) {
    task::WaitQueue* const queue[] = {&staying.went_on};
    task::wait_on(thread, queue, 0, false);
  }
  return stopped;
}

void Processes::gave_memory_back(Process& process) {
  Member& borrower = member(process);
  if (std::exchange(borrower.is_awaited, false)) borrower.gave_back.notify();
}

}  // namespace osp::native
