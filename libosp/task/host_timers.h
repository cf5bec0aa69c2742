#pragma once

#include <signal.h>

#include <map>

namespace osp::task {

// Hosted: the program's timers of timer_create(2), which are the host's, by their numbers; and of each what the program
// was told last, since the host tells the core earlier.
class HostTimers {
 public:
  void created(int id) { overruns_[id] = 0; }
  void removed(int id) { overruns_.erase(id); }
  // The program gets this signal now, of a timer or not: completes the count of its overruns.
  void tell(siginfo_t& info);
  // timer_getoverrun(2) of a timer that is there.
  [[nodiscard]] int overruns(int id) const;
  // execve(2): there are none any more.
  void remove_all();
  // A forked child has none.
  void after_fork() { overruns_.clear(); }

 private:
  std::map<int, int> overruns_;
};

// Of the process.
HostTimers& host_timers();

}  // namespace osp::task
