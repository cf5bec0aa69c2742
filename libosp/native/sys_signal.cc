// Signals from one process to another: kill(2), tgkill(2), rt_sigqueueinfo(2).
#include "libosp/linux/calls.h"
#include "libosp/native/calls.h"
#include "libosp/native/send_signal.h"
#include "libosp/signal/deliver.h"

namespace osp::native {

using linux::get;

namespace {

bool valid_signal(uint64_t signo) { return signo <= signal::last_signal; }

// kill(2): root, the same user, or SIGCONT within the session.
bool may_send(const Call& c, const Member& to, uint64_t signo) {
  const task::Credentials from = task::credentials_of(c.process);
  if (from.euid == 0) return true;
  const uid_t uid = to.is_zombie() ? to.uid : to.process->credentials.uid;
  const uid_t saved = to.is_zombie() ? to.uid : to.process->credentials.saved_uid;
  const auto is = [&](uid_t who) { return who == uid || who == saved; };
  if (is(from.uid) || is(from.euid)) return true;
  return signo == SIGCONT && to.session == Processes::of(c.process).member(c.process).session;
}

}  // namespace

siginfo_t sent_by(const Call& c, uint64_t signo, int code) {
  siginfo_t info = signal::make_info(static_cast<int>(signo), code);
  info.si_pid = c.process.pid;
  info.si_uid = task::credentials_of(c.process).uid;
  return info;
}

bool may_tell(const Call& c, const Member& to, const siginfo_t& info) {
  return (info.si_code < 0 && info.si_code != SI_TKILL) || to.process.get() == &c.process;
}

long send_signal(Call& c, const std::vector<Member*>& members, const siginfo_t& info) {
  const auto signo = static_cast<uint64_t>(info.si_signo);
  bool sent = false;
  for (Member* member : members) {
    if (!may_send(c, *member, signo)) continue;
    sent = true;
    if (signo != 0) Processes::of(c.process).post(*member, info);
  }
  if (sent) return 0;
  return members.empty() ? -ESRCH : -EPERM;
}

long sys_kill(Call& c) {
  if (!valid_signal(c.b)) return -EINVAL;
  Processes& all = Processes::of(c.process);
  const auto pid = static_cast<int>(c.a);
  std::vector<Member*> to;
  if (pid > 0) {
    if (Member* member = all.find(pid)) to.push_back(member);
  } else if (pid == -1) {
    to = all.all();
    std::erase(to, &all.member(c.process));
  } else {
    to = all.group(pid == 0 ? all.member(c.process).group : -pid);
  }
  return send_signal(c, to, sent_by(c, c.b, SI_USER));
}

long sys_tgkill(Call& c) {
  const bool has_group = c.nr == SYS_tgkill;
  const auto group = static_cast<int>(c.a), tid = static_cast<int>(has_group ? c.b : c.a);
  const uint64_t signo = has_group ? c.c : c.b;
  if (tid <= 0 || (has_group && group <= 0) || !valid_signal(signo)) return -EINVAL;
  Processes& all = Processes::of(c.process);
  for (Member* member : all.all()) {
    if (member->is_zombie() || (has_group && member->pid != group)) continue;
    task::Thread* thread = member->process->find_thread(tid);
    if (thread == nullptr) continue;
    if (!may_send(c, *member, signo)) return -EPERM;
    const siginfo_t info = sent_by(c, signo, SI_TKILL);
    if (signo == 0) return 0;
    if (signo == SIGKILL || signo == SIGSTOP || signo == SIGCONT) {
      all.post(*member, info);
    } else {
      member->process->send(*thread, info);
    }
    return 0;
  }
  return -ESRCH;
}

long sys_rt_sigqueueinfo(Call& c) {
  const bool to_thread = c.nr == SYS_rt_tgsigqueueinfo;
  const uint64_t signo = to_thread ? c.c : c.b;
  siginfo_t info = {};
  if (!get(to_thread ? c.d : c.c, info)) return -EFAULT;
  if (!valid_signal(signo)) return -EINVAL;
  Member* member = Processes::of(c.process).find(static_cast<int>(c.a));
  if (member == nullptr || member->is_zombie()) return -ESRCH;
  if (!may_tell(c, *member, info)) return -EPERM;
  if (!may_send(c, *member, signo)) return -EPERM;
  info.si_signo = static_cast<int>(signo);
  if (signo == 0) return 0;
  if (!to_thread) {
    Processes::of(c.process).post(*member, info);
    return 0;
  }
  task::Thread* thread = member->process->find_thread(static_cast<int>(c.b));
  if (thread == nullptr) return -ESRCH;
  member->process->send(*thread, info);
  return 0;
}

}  // namespace osp::native
