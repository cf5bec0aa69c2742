#include "kernel/call/count.h"

#include "kernel/cpu/layout.h"
#include "kernel/cpu/registers.h"
#include "kernel/device/console.h"
#include "libosp/host/native.h"

namespace {

constexpr uint64_t native_calls = osp::native::last_call - osp::native::first_call + 1;

}  // namespace

extern "C" {
void osp_counted_syscall_entry();
// What kernel/cpu/count.S counts in.
constinit uint64_t osp_linux_call_counts[OSP_LINUX_CALLS] = {};
constinit uint64_t osp_native_call_counts[native_calls] = {};
constinit uint64_t osp_other_call_count = 0;
}

namespace osp::kernel {
namespace {

constinit bool counting = false;

void log_counts(const uint64_t* counts, uint64_t size, uint64_t first) {
  for (uint64_t i = 0; i < size; ++i)
    if (counts[i] != 0) log("calls ", first + i, " ", counts[i]);
}

}  // namespace

void count_calls() {
  counting = true;
  cpu::write_msr(cpu::msr_lstar, reinterpret_cast<uint64_t>(osp_counted_syscall_entry));
}

void log_call_counts() {
  if (!counting) return;
  log_counts(osp_linux_call_counts, OSP_LINUX_CALLS, 0);
  log_counts(osp_native_call_counts, native_calls, native::first_call);
  log("calls other ", osp_other_call_count);
}

}  // namespace osp::kernel
