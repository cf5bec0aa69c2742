#include "libosp/task/alarm.h"

namespace osp::task {

Alarm::~Alarm() {
  if (set_in_ != nullptr) set_in_->cancel(*this);
}

void Alarms::set(Alarm& alarm, uint64_t deadline_ns) {
  if (alarm.set_in_ != nullptr) alarm.set_in_->set_.erase(alarm.at_);
  alarm.set_in_ = deadline_ns == 0 ? nullptr : this;
  if (deadline_ns != 0) alarm.at_ = set_.emplace(deadline_ns, &alarm);
}

void Alarms::expire(uint64_t now_ns) {
  while (!set_.empty() && set_.begin()->first <= now_ns) {
    Alarm& alarm = *set_.begin()->second;
    cancel(alarm);
    alarm.rings();
  }
}

}  // namespace osp::task
