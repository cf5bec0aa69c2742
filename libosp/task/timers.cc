#include "libosp/task/timers.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libosp/signal/deliver.h"
#include "libosp/task/process.h"

namespace osp::task {
namespace {

constexpr int most = 4096;
constexpr uint64_t least_wait_ns = 1'000'000;  // before one looks again how long a process has run
constexpr std::array interval_signals = {SIGALRM, SIGVTALRM, SIGPROF};

}  // namespace

class Timers::Timer final : public Alarm {
 public:
  Timer(Timers& owner, int id, const Posix& what) : posix(what), owner_(owner), id_(id), time_(what.time()) {}
  // Of setitimer(2).
  Timer(Timers& owner, int which)
      : owner_(owner), signo_(interval_signals.at(static_cast<size_t>(which))), time_(time_of_interval(which)) {}

  void set(const Setting& wanted) {
    setting = wanted;
    missed_ = overruns = 0;
    arm();
  }

  // What was missed since is not made up for: it is counted.
  void rings() override {
    uint64_t times = 1;
    const uint64_t now = owner_.now(time_);
    if (now < setting.deadline_ns) return arm();
    const uint64_t rang = std::exchange(setting.deadline_ns, 0);
    if (setting.interval_ns != 0) {
      times += now > rang ? (now - rang) / setting.interval_ns : 0;
      setting.deadline_ns = rang + times * setting.interval_ns;
      arm();
    }
    tell(static_cast<int>(std::min<uint64_t>(times, INT32_MAX)));
  }

  const Posix posix;
  Setting setting;
  int overruns = 0;

 private:
  void arm() {
    if (time_ == Time::real || setting.deadline_ns == 0) return owner_.alarms_.set(*this, setting.deadline_ns);
    const uint64_t now = owner_.now(time_), left = setting.deadline_ns > now ? setting.deadline_ns - now : 0;
    owner_.alarms_.set(*this, host_now_ns() + std::max(left, least_wait_ns));
  }

  void tell(int times) {
    const bool is_posix = id_ >= 0;
    if (is_posix && posix.event.sigev_notify == SIGEV_NONE) return;
    const bool to_thread = is_posix && posix.event.sigev_notify == SIGEV_THREAD_ID;
    Thread* thread = to_thread ? owner_.process_.find_thread(posix.event._sigev_un._tid) : nullptr;
    if (to_thread && thread == nullptr) return;
    signal::Pending& pending = thread != nullptr ? thread->signals.pending : owner_.process_.signals.pending;
    if (is_posix && pending.set_overruns(id_, posix.event.sigev_signo, missed_ + times)) {
      overruns = missed_ += times;
      return;
    }
    siginfo_t info = signal::make_info(is_posix ? posix.event.sigev_signo : signo_, is_posix ? SI_TIMER : SI_KERNEL);
    if (is_posix) {
      missed_ = overruns = times - 1;
      info.si_timerid = id_, info.si_overrun = overruns, info.si_value = posix.event.sigev_value;
    }
    if (thread != nullptr) {
      owner_.process_.send(*thread, info);
    } else {
      owner_.process_.send(info);
    }
  }

  Timers& owner_;
  const int id_ = -1;    // -1: of setitimer(2)
  const int signo_ = 0;  // then
  const Time time_;
  int missed_ = 0;  // while the signal waits
};

Timers::Timers(Process& process, Alarms& alarms) : process_(process), alarms_(alarms) {
  for (size_t which = 0; which < intervals_.size(); ++which)
    intervals_[which] = std::make_unique<Timer>(*this, static_cast<int>(which));
}

Timers::~Timers() = default;

uint64_t Timers::now(Time time) const {
  return time == Time::real ? host_now_ns() : static_cast<uint64_t>(process_.scheduler.processor_time_ns(process_));
}

void Timers::set_interval(int which, const Setting& setting) {
  intervals_.at(static_cast<size_t>(which))->set(setting);
}
Timers::Setting Timers::interval(int which) const { return intervals_.at(static_cast<size_t>(which))->setting; }

int Timers::create(const Posix& timer, bool tells_id) {
  int id = 0;
  while (posix_.contains(id)) ++id;
  if (id >= most) return -EAGAIN;
  Posix own = timer;
  if (tells_id) own.event.sigev_value.sival_int = id;
  posix_[id] = std::make_unique<Timer>(*this, id, own);
  return id;
}

const Timers::Posix* Timers::find(int id) const {
  const auto found = posix_.find(id);
  return found == posix_.end() ? nullptr : &found->second->posix;
}

void Timers::set(int id, const Setting& setting) { posix_.at(id)->set(setting); }
Timers::Setting Timers::setting(int id) const { return posix_.at(id)->setting; }
int Timers::overruns(int id) const { return posix_.at(id)->overruns; }
void Timers::remove_posix() { posix_.clear(); }
bool Timers::remove(int id) { return posix_.erase(id) != 0; }

}  // namespace osp::task
