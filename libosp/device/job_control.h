#pragma once

#include "libosp/task/process.h"

namespace osp::device {

// What terminals must know of process groups and sessions (credentials(7)), and do to them. Whoever keeps them gives
// this before the first terminal is opened.
class JobControl {
 public:
  virtual ~JobControl() = default;
  [[nodiscard]] virtual int group_of(const task::Process& process) const = 0;
  [[nodiscard]] virtual int session_of(const task::Process& process) const = 0;
  // The session that a group is in; 0: there is no such group.
  [[nodiscard]] virtual int session_of_group(int group) const = 0;
  // Whether no member has a parent in another group of the same session (POSIX: orphaned process group).
  [[nodiscard]] virtual bool is_orphaned(int group) const = 0;
  // From the kernel (SI_KERNEL) to all members, or to one process. Nothing where there is none.
  virtual void signal_group(int group, int signo) = 0;
  virtual void signal_process(int pid, int signo) = 0;
};

void set_job_control(JobControl* control);
// Null: nobody keeps groups; terminals are then controlled by none.
JobControl* job_control();

}  // namespace osp::device
