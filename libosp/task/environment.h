#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace osp::task {

class Process;
struct Thread;

// Natively, what Linux's kernel is to processes: the table of them all, in the same core. Hosted there is none.
class Environment {
 public:
  virtual ~Environment() = default;
  // Its last thread has left: what is kept of it is for wait(2).
  virtual void ended(Process& process, int wait_status) = 0;
  // The default action of SIGSTOP and its like; its threads stay at the program's edge until stay() lets them go.
  virtual void stopped(Process& process, int signo) = 0;
  // Parks the thread while its process is stopped; whether it was.
  virtual bool stay(Thread& thread) = 0;
  // What Linux would show in /proc/PID/`file`, which is "stat" or "status"; what is the thread's is left out.
  virtual std::string proc_text(const Process& process, std::string_view file) = 0;
  // Calls `see` with all that have not ended.
  virtual void each_process(const std::function<void(Process&)>& see) = 0;
  // It has left the memory that it borrowed by vfork(2), or executed a program: whoever waits for that goes on.
  virtual void gave_memory_back(Process& process) = 0;
};

}  // namespace osp::task
