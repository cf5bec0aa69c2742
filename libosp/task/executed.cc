#include "libosp/task/executed.h"

#include <sys/uio.h>

#include "base/raw_syscall.h"

namespace osp::task {
namespace {

volatile bool has_executed = true;  // at the same place in every process of the environment (host/window.h: image)

}  // namespace

void note_execution(bool executed) { has_executed = executed; }

bool child_has_executed(int pid) {
  bool its = false;
  const iovec to = {&its, sizeof its};
  const iovec from = {const_cast<bool*>(&has_executed), sizeof its};
  return raw::syscall(SYS_process_vm_readv, pid, &to, 1, &from, 1, 0) == sizeof its && its;
}

}  // namespace osp::task
