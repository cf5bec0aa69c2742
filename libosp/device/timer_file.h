#pragma once

#include "libosp/file/files.h"
#include "libosp/task/alarm.h"

namespace osp::device {

// timerfd_create(2). Times are the host's CLOCK_MONOTONIC in ns.
class TimerFile final : public file::Description, private task::Alarm {
 public:
  TimerFile(int clock, task::Alarms& alarms, int open_flags);

  struct Setting {
    uint64_t deadline_ns = 0;  // 0: not set
    uint64_t interval_ns = 0;  // 0: it rings once
  };
  void set(const Setting& setting);
  // When it rings next.
  [[nodiscard]] Setting setting();
  [[nodiscard]] int clock() const { return clock_; }

  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread&, const void*, size_t) override { return -EINVAL; }
  Result<pip::Attributes> stat() override { return attributes_; }
  [[nodiscard]] short ready() const override { return ticks_ > 0 ? POLLIN : short{0}; }
  task::WaitQueue* changes() override { return &changed_; }

 private:
  void rings() override;
  void go_on();

  int clock_;
  task::Alarms& alarms_;
  Setting setting_;
  uint64_t ticks_ = 0;     // not yet read
  bool has_rung_ = false;  // and is not set again before somebody looks
  task::WaitQueue changed_;
  pip::Attributes attributes_;
};

}  // namespace osp::device
