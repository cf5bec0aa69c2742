#pragma once

#include <signal.h>
#include <sys/time.h>

#include <array>
#include <map>
#include <memory>

#include "libosp/task/alarm.h"

namespace osp::task {

class Process;

// The timers of a process that become signals: setitimer(2)'s, and those of timer_create(2). Natively; hosted they are
// the host's. Times are in ns, of the host's CLOCK_MONOTONIC or of what the process has run; the latter ring up to 1 ms
// late.
class Timers {
 public:
  enum class Time { real, processor };
  struct Setting {
    uint64_t deadline_ns = 0;  // 0: not set
    uint64_t interval_ns = 0;  // 0: it rings once
  };
  struct Posix {
    int clock = 0;
    [[nodiscard]] Time time() const { return clock == CLOCK_PROCESS_CPUTIME_ID ? Time::processor : Time::real; }
    sigevent event = {};  // SIGEV_NONE, SIGEV_SIGNAL, or SIGEV_THREAD_ID with a thread of the process
  };

  Timers(Process& process, Alarms& alarms);
  ~Timers();

  [[nodiscard]] uint64_t now(Time time) const;
  // ITIMER_REAL counts real time, ITIMER_VIRTUAL and ITIMER_PROF that of the processor: the core's part is not told
  // from the program's.
  static Time time_of_interval(int which) { return which == ITIMER_REAL ? Time::real : Time::processor; }
  void set_interval(int which, const Setting& setting);
  [[nodiscard]] Setting interval(int which) const;

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
  std::array<std::unique_ptr<Timer>, 3> intervals_;
  std::map<int, std::unique_ptr<Timer>> posix_;
};

}  // namespace osp::task
