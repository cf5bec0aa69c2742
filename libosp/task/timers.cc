#include "libosp/task/timers.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libosp/signal/deliver.h"
#include "libosp/task/process.h"

namespace osp::task {
namespace {

constexpr int most = 4096;

}  // namespace

class Timers::Timer final : public Alarm {
 public:
  Timer(Process& process, Alarms& alarms, int id, const Posix& what)
      : posix(what), process_(process), alarms_(alarms), id_(id) {}

  void set(const Setting& wanted) {
    setting = wanted;
    missed_ = overruns = 0;
    alarms_.set(*this, wanted.deadline_ns);
  }

  // What was missed since is not made up for: it is counted.
  void rings() override {
    uint64_t times = 1;
    const uint64_t rang = std::exchange(setting.deadline_ns, 0);
    if (setting.interval_ns != 0) {
      const uint64_t now = host_now_ns();
      times += now > rang ? (now - rang) / setting.interval_ns : 0;
      setting.deadline_ns = rang + times * setting.interval_ns;
      alarms_.set(*this, setting.deadline_ns);
    }
    tell(static_cast<int>(std::min<uint64_t>(times, INT32_MAX)));
  }

  const Posix posix;
  Setting setting;
  int overruns = 0;

 private:
  void tell(int times) {
    const bool is_posix = id_ >= 0;
    if (is_posix && posix.event.sigev_notify == SIGEV_NONE) return;
    const bool to_thread = is_posix && posix.event.sigev_notify == SIGEV_THREAD_ID;
    Thread* thread = to_thread ? process_.find_thread(posix.event._sigev_un._tid) : nullptr;
    if (to_thread && thread == nullptr) return;
    signal::Pending& pending = thread != nullptr ? thread->signals.pending : process_.signals.pending;
    if (is_posix && pending.set_overruns(id_, posix.event.sigev_signo, missed_ + times)) {
      overruns = missed_ += times;
      return;
    }
    siginfo_t info = signal::make_info(is_posix ? posix.event.sigev_signo : SIGALRM, is_posix ? SI_TIMER : SI_KERNEL);
    if (is_posix) {
      missed_ = overruns = times - 1;
      info.si_timerid = id_, info.si_overrun = overruns, info.si_value = posix.event.sigev_value;
    }
    if (thread != nullptr) {
      process_.send(*thread, info);
    } else {
      process_.send(info);
    }
  }

  Process& process_;
  Alarms& alarms_;
  const int id_;    // -1: of setitimer(2)
  int missed_ = 0;  // while the signal waits
};

Timers::Timers(Process& process, Alarms& alarms)
    : process_(process), alarms_(alarms), real_(std::make_unique<Timer>(process, alarms, -1, Posix())) {}

Timers::~Timers() = default;

void Timers::set_real(const Setting& setting) { real_->set(setting); }
Timers::Setting Timers::real() const { return real_->setting; }

int Timers::create(const Posix& timer, bool tells_id) {
  int id = 0;
  while (posix_.contains(id)) ++id;
  if (id >= most) return -EAGAIN;
  Posix own = timer;
  if (tells_id) own.event.sigev_value.sival_int = id;
  posix_[id] = std::make_unique<Timer>(process_, alarms_, id, own);
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
