#pragma once

#include <signal.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>

// Signals as the program sees them (signal(7)): dispositions, masks, pending sets, queues.
namespace osp::signal {

using Mask = uint64_t;  // bit n-1 is signal n, as the kernel's sigset_t

constexpr Mask bit(int signo) { return Mask{1} << (signo - 1); }
inline constexpr int last_signal = 64;
inline constexpr Mask unblockable = bit(SIGKILL) | bit(SIGSTOP);

struct Action {          // rt_sigaction(2), in the kernel's layout
  uint64_t handler = 0;  // 0 SIG_DFL, 1 SIG_IGN
  uint64_t flags = 0;
  uint64_t restorer = 0;
  Mask mask = 0;
};
static_assert(sizeof(Action) == 32);

enum class Default { terminate, ignore, stop, go_on };
Default default_of(int signo);

// Signals that wait: a standard signal once, a real-time signal as often as it was sent, in order.
class Pending {
 public:
  void add(const siginfo_t& info);
  // The next one in `allowed`: synchronous ones first, then by number. Removed from here.
  std::optional<siginfo_t> take(Mask allowed);
  void remove(Mask signals);
  // How often the timer rang again meanwhile, where its signal waits. False: it does not.
  bool set_overruns(int timer, int signo, int overruns);
  [[nodiscard]] Mask set() const { return set_; }
  [[nodiscard]] const std::deque<siginfo_t>& queue() const { return queue_; }
  void clear() { set_ = 0, queue_.clear(); }

 private:
  Mask set_ = 0;
  std::deque<siginfo_t> queue_;
};

struct ThreadSignals {
  Mask mask = 0;
  std::optional<Mask> saved_mask;  // what to go back to after sigsuspend, ppoll and the like
  Pending pending;
  stack_t alternate = {nullptr, SS_DISABLE, 0};
  Mask waiting_for = 0;  // in sigtimedwait
};

struct ProcessSignals {
  std::array<Action, last_signal + 1> actions;  // by number; [0] is unused
  Pending pending;
  Mask seen_ignored = 0;  // by mirror(), at any time

  // Whether a signal that is not blocked would have no effect now.
  [[nodiscard]] bool ignored(int signo) const;
};

}  // namespace osp::signal
