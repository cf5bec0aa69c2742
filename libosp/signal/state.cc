#include "libosp/signal/state.h"

#include <algorithm>
#include <bit>

namespace osp::signal {
namespace {

constexpr Mask synchronous = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGFPE) | bit(SIGSYS);
constexpr Mask ignored_by_default = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH);
constexpr Mask stopping = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);

bool is_real_time(int signo) { return signo >= 32; }

// Of a timer one signal waits, which says how often it rang again. False: none waits.
bool join_timer(std::deque<siginfo_t>& queue, const siginfo_t& info) {
  for (siginfo_t& waits : queue) {
    if (waits.si_code != SI_TIMER || waits.si_timerid != info.si_timerid || waits.si_signo != info.si_signo) continue;
    waits.si_overrun = static_cast<int>(std::min<int64_t>(int64_t{waits.si_overrun} + info.si_overrun + 1, INT32_MAX));
    return true;
  }
  return false;
}

}  // namespace

Default default_of(int signo) {
  if ((ignored_by_default & bit(signo)) != 0) return Default::ignore;
  if ((stopping & bit(signo)) != 0) return Default::stop;
  return signo == SIGCONT ? Default::go_on : Default::terminate;
}

void Pending::add(const siginfo_t& info) {
  if (info.si_code == SI_TIMER && join_timer(queue_, info)) return;
  if (!is_real_time(info.si_signo) && (set_ & bit(info.si_signo)) != 0) return;
  set_ |= bit(info.si_signo);
  queue_.push_back(info);
}

std::optional<siginfo_t> Pending::take(Mask allowed) {
  const Mask ready = set_ & allowed;
  if (ready == 0) return std::nullopt;
  const Mask first = (ready & synchronous) != 0 ? ready & synchronous : ready;
  const int signo = std::countr_zero(first) + 1;
  const auto same = [signo](const siginfo_t& info) { return info.si_signo == signo; };
  const auto found = std::find_if(queue_.begin(), queue_.end(), same);
  const siginfo_t info = *found;
  queue_.erase(found);
  if (std::none_of(queue_.begin(), queue_.end(), same)) set_ &= ~bit(signo);
  return info;
}

bool Pending::set_overruns(int timer, int signo, int overruns) {
  for (siginfo_t& info : queue_) {
    if (info.si_code != SI_TIMER || info.si_timerid != timer || info.si_signo != signo) continue;
    info.si_overrun = overruns;
    return true;
  }
  return false;
}

void Pending::remove(Mask signals) {
  set_ &= ~signals;
  std::erase_if(queue_, [signals](const siginfo_t& info) { return (bit(info.si_signo) & signals) != 0; });
}

bool ProcessSignals::ignored(int signo) const {
  const uint64_t handler = actions[static_cast<size_t>(signo)].handler;
  if (handler == 1) return true;
  const Default action = default_of(signo);
  return handler == 0 && (action == Default::ignore || action == Default::go_on);
}

}  // namespace osp::signal
