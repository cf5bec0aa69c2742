#include <asm/prctl.h>
#include <sched.h>
#include <sys/mman.h>

#include <cerrno>

#include "kernel/call/calls.h"
#include "kernel/cpu/processor.h"
#include "kernel/cpu/registers.h"
#include "kernel/cpu/user_copy.h"
#include "kernel/cpu/vector_state.h"
#include "kernel/library/bytes.h"
#include "kernel/memory/space.h"
#include "kernel/task/schedule.h"
#include "kernel/task/task.h"

namespace osp::kernel::call {
namespace {

constexpr uint64_t flags_of_a_thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
constexpr uint64_t known_flags = flags_of_a_thread | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SETTLS |
                                 CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED;

struct Wanted {
  uint64_t flags, stack, tls;
  uint32_t *parent_word, *child_word;
};

long start(const Wanted& wanted) {
  if ((wanted.flags & flags_of_a_thread) != flags_of_a_thread || (wanted.flags & ~known_flags) != 0) return -EINVAL;
  const bool own_tls = (wanted.flags & CLONE_SETTLS) != 0;
  if ((own_tls && wanted.tls >= user_end) || wanted.stack >= user_end) return -EPERM;
  TrapFrame frame = current().frame();
  frame.rax = 0;
  if (wanted.stack != 0) frame.rsp = wanted.stack;
  Thread* thread = make_thread(*current().task, *current().space, frame);
  if (thread == nullptr) return -EAGAIN;
  save_vector_state(*thread);
  thread->fs_base = own_tls ? wanted.tls : cpu::read_fs_base();
  thread->gs_base = cpu::read_user_gs_base();
  thread->signal_mask = current().signal_mask;
  const uint32_t number = thread->number;
  if ((wanted.flags & CLONE_CHILD_CLEARTID) != 0) thread->cleared_word = wanted.child_word;
  if ((wanted.flags & CLONE_PARENT_SETTID) != 0) (void)store_user_word(wanted.parent_word, number);
  if ((wanted.flags & CLONE_CHILD_SETTID) != 0) (void)store_user_word(wanted.child_word, number);
  start_thread(*thread);
  return number;
}

}  // namespace

long clone3(const clone_args* user, uint64_t size) {
  constexpr uint64_t least = CLONE_ARGS_SIZE_VER0;
  clone_args arguments = {};
  if (size < least || size > page_size) return size < least ? -EINVAL : -E2BIG;
  if (const long result = copy_in(&arguments, user, size < sizeof arguments ? size : sizeof arguments); result != 0)
    return result;
  const uint64_t top = arguments.stack + arguments.stack_size;
  if (arguments.stack >= user_end || arguments.stack_size >= user_end) return -EINVAL;
  return start({arguments.flags, top, arguments.tls, reinterpret_cast<uint32_t*>(arguments.parent_tid),
                reinterpret_cast<uint32_t*>(arguments.child_tid)});
}

long clone(uint64_t flags, uint64_t stack, uint32_t* parent_word, uint32_t* child_word, uint64_t tls) {
  return start({flags & ~uint64_t{CSIGNAL}, stack, tls, parent_word, child_word});
}

long exit(int status) { end_current_thread(status & 0xff); }

long exit_group(int status) {
  current().task->end(status);
  return 0;  // the thread ends on its way out
}

long sched_yield() {
  yield_turn();
  return 0;
}

long set_tid_address(uint32_t* word) {
  current().cleared_word = word;
  return current().number;
}

long arch_prctl(int code, uint64_t value) {
  auto* to = reinterpret_cast<uint64_t*>(value);
  if ((code == ARCH_SET_FS || code == ARCH_SET_GS) && value >= user_end) return -EPERM;
  switch (code) {
    case ARCH_SET_FS:
      cpu::write_fs_base(value);
      return 0;
    case ARCH_SET_GS:
      cpu::write_user_gs_base(value);
      return 0;
    case ARCH_GET_FS:
      return store_user(to, cpu::read_fs_base());
    case ARCH_GET_GS:
      return store_user(to, cpu::read_user_gs_base());
    default:
      return -EINVAL;
  }
}

long gettid() { return current().number; }
long getpid() { return current().task->number(); }

long sched_getaffinity(int, uint64_t size, uint64_t* mask) {
  if (size < sizeof *mask || size % sizeof *mask != 0) return -EINVAL;
  const uint64_t all = ~uint64_t{0} >> (max_processors - processor_count());
  const long result = store_user(mask, all);
  return result != 0 ? result : sizeof all;
}

}  // namespace osp::kernel::call
