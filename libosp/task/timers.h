#pragma once

#include <signal.h>

#include <map>
#include <memory>

#include "libosp/task/alarm.h"

namespace osp::task {

class Process;

// The timers of a process that become signals: setitimer(2)'s of real time, and those of timer_create(2). Natively;
// hosted they are the host's. Times are the host's CLOCK_MONOTONIC in ns.
class Timers {
 public:
  struct Setting {
    uint64_t deadline_ns = 0;  // 0: not set
    uint64_t interval_ns = 0;  // 0: it rings once
  };
  struct Posix {
    int clock = 0;
    sigevent event = {};  // SIGEV_NONE, SIGEV_SIGNAL, or SIGEV_THREAD_ID with a thread of the process
  };

  Timers(Process& process, Alarms& alarms);
  ~Timers();

  void set_real(const Setting& setting);
  [[nodiscard]] Setting real() const;

  // Its number, which is the signal's value too if `tells_id`. EAGAIN: there are too many.
  int create(const Posix& timer, bool tells_id);
  // Null: there is none of that number.
  [[nodiscard]] const Posix* find(int id) const;
  void set(int id, const Setting& setting);
  [[nodiscard]] Setting setting(int id) const;
  // How often it rang while the signal that was taken last waited.
  [[nodiscard]] int overruns(int id) const;
  bool remove(int id);
  // execve(2): those of timer_create(2) are gone.
  void remove_posix();

 private:
  class Timer;

  Process& process_;
  Alarms& alarms_;
  std::unique_ptr<Timer> real_;
  std::map<int, std::unique_ptr<Timer>> posix_;
};

}  // namespace osp::task
