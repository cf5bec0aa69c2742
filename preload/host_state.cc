#include "preload/host_state.h"

#include <asm/prctl.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/raw_syscall.h"

// ld.so's since glibc 2.35; absent in older ones, which do not register.
extern "C" {
[[gnu::weak]] extern const ptrdiff_t __rseq_offset;
[[gnu::weak]] extern const unsigned int __rseq_size;
}

namespace osp::preload {
namespace {

constexpr unsigned rseq_signature = 0x53053053, rseq_unregister = 1;
constexpr unsigned first_rseq_size = 32;  // what is registered at least

}  // namespace

void save_host_state(host::ProgramStart& start) {
  raw::syscall(SYS_arch_prctl, ARCH_GET_FS, &start.fs_base);
  raw::syscall(SYS_get_robust_list, 0, &start.robust_list, &start.robust_list_size);
  raw::syscall(SYS_prctl, PR_GET_TID_ADDRESS, &start.clear_child_tid);
  raw::syscall(SYS_sigaltstack, 0, &start.alternate_stack);
  const uint64_t all = ~uint64_t{0};
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &start.signal_mask, 8);
}

bool unregister_rseq(const host::ProgramStart& start) {
  if (&__rseq_size == nullptr || &__rseq_offset == nullptr || __rseq_size == 0) return true;
  const uint64_t area = start.fs_base + static_cast<uint64_t>(__rseq_offset);
  const auto unregister = [area](unsigned size) {
    return raw::syscall(SYS_rseq, area, size, rseq_unregister, rseq_signature) == 0;
  };
  const unsigned rounded = (__rseq_size + first_rseq_size - 1) / first_rseq_size * first_rseq_size;
  return unregister(first_rseq_size) || unregister(rounded) || unregister(__rseq_size);
}

}  // namespace osp::preload
