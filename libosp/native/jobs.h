#pragma once

#include "libosp/device/job_control.h"
#include "libosp/native/processes.h"

namespace osp::native {

// What terminals ask of the table of processes.
class Jobs final : public device::JobControl {
 public:
  // `processes` is borrowed for ever.
  explicit Jobs(Processes& processes) : processes_(processes) {}
  [[nodiscard]] int group_of(const task::Process& process) const override;
  [[nodiscard]] int session_of(const task::Process& process) const override;
  [[nodiscard]] int session_of_group(int group) const override;
  [[nodiscard]] bool is_orphaned(int group) const override;
  void signal_group(int group, int signo) override;
  void signal_process(int pid, int signo) override;

 private:
  Processes& processes_;
};

}  // namespace osp::native
