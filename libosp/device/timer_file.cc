#include "libosp/device/timer_file.h"

#include "libosp/device/support.h"
#include "libosp/trap/frame.h"

namespace osp::device {

TimerFile::TimerFile(int clock, task::Alarms& alarms, int open_flags)
    : clock_(clock), alarms_(alarms), attributes_(attributes_of_new(0600)) {
  flags = open_flags;
}

void TimerFile::set(const Setting& setting) {
  setting_ = setting;
  ticks_ = 0;
  has_rung_ = false;
  alarms_.set(*this, setting.deadline_ns);
}

void TimerFile::rings() {
  ++ticks_;
  has_rung_ = true;
  if (setting_.interval_ns == 0) setting_.deadline_ns = 0;
  changed_.notify();
}

// As on Linux an interval that nobody reads costs nothing: what has passed meanwhile is counted now.
void TimerFile::go_on() {
  if (!std::exchange(has_rung_, false) || setting_.interval_ns == 0) return;
  const uint64_t now = task::host_now_ns();
  const uint64_t late = now > setting_.deadline_ns ? (now - setting_.deadline_ns) / setting_.interval_ns : 0;
  ticks_ += late;
  setting_.deadline_ns += (late + 1) * setting_.interval_ns;
  alarms_.set(*this, setting_.deadline_ns);
}

TimerFile::Setting TimerFile::setting() {
  go_on();
  return setting_;
}

long TimerFile::read(task::Thread& thread, void* to, size_t size) {
  if (size < sizeof ticks_) return -EINVAL;
  while (ticks_ == 0) {
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, changed_); stop != 0) return stop;
  }
  go_on();
  const uint64_t ticks = std::exchange(ticks_, 0);
  return osp_user_copy(to, &ticks, sizeof ticks) == 0 ? static_cast<long>(sizeof ticks) : -EFAULT;
}

}  // namespace osp::device
