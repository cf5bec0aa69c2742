#pragma once

#include <cstdint>
#include <map>

namespace osp::task {

class Alarms;

// What is to happen at a time though no thread waits for it (timerfd_create(2), terminals' VTIME). Set off at its end.
class Alarm {
 public:
  Alarm() = default;
  virtual ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  // The time has come; it is not set any more. May set it again. Must not park.
  virtual void rings() = 0;

 private:
  friend class Alarms;
  Alarms* set_in_ = nullptr;
  std::multimap<uint64_t, Alarm*>::iterator at_;
};

// The alarms that are set, by time (CLOCK_MONOTONIC of the host, ns). Core only, one worker.
class Alarms {
 public:
  // In place of what it was set to before. 0: not at all.
  void set(Alarm& alarm, uint64_t deadline_ns);
  void cancel(Alarm& alarm) { set(alarm, 0); }
  // The earliest; 0: none is set.
  [[nodiscard]] uint64_t next() const { return set_.empty() ? 0 : set_.begin()->first; }
  // Those whose time has come ring, in the order of their times.
  void expire(uint64_t now_ns);

 private:
  std::multimap<uint64_t, Alarm*> set_;
};

}  // namespace osp::task
