#include "libosp/native/machine.h"

namespace osp::native {

Machine& machine() {
  static Machine the_machine;
  return the_machine;
}

int64_t processor_time_ns(const task::Process& process) { return process.scheduler.processor_time_ns(process); }

}  // namespace osp::native
