// Calls the vDSO's functions, with a stand-in for the core behind gs, and unwinds through its restorer.
#include <asm/prctl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unwind.h>

#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/vdso/protocol.h"
#include "tests/libosp/vdso/loaded.h"

extern "C" {
void osp_test_entry();
void osp_test_fault();
extern const char osp_test_fault_at[];
extern uint64_t osp_test_entries;
const void* _Unwind_Find_FDE(void* pc, void* bases);
}

namespace osp::vdso {
namespace {

class Call : public ::testing::Test {
 protected:
  Call() {
    worker_[OSP_VDSO_SLOT / sizeof(void*)] = reinterpret_cast<void*>(osp_test_entry);
    raw::syscall(SYS_arch_prctl, ARCH_SET_GS, worker_);
    osp_test_entries = 0;
  }
  ~Call() override { raw::syscall(SYS_arch_prctl, ARCH_SET_GS, 0); }

  template <class Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(loaded_.symbol(name));
  }

  Loaded loaded_;
  void* worker_[2] = {};
};

TEST_F(Call, ClockGettime) {
  const auto get = function<long(clockid_t, timespec*)>("__vdso_clock_gettime");
  timespec before{}, now{}, after{};
  raw::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &before);
  EXPECT_EQ(get(CLOCK_MONOTONIC, &now), 0);
  raw::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &after);
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
  EXPECT_LE(ns(before), ns(now));
  EXPECT_LE(ns(now), ns(after));
  EXPECT_EQ(get(4711, &now), -EINVAL);
  EXPECT_EQ(osp_test_entries, 2u);
}

TEST_F(Call, TheOthers) {
  timeval tv{};
  timespec resolution{};
  time_t seconds = 0;
  unsigned cpu = ~0u, node = ~0u;
  EXPECT_EQ(function<long(timeval*, void*)>("__vdso_gettimeofday")(&tv, nullptr), 0);
  EXPECT_GE(function<long(time_t*)>("__vdso_time")(&seconds), tv.tv_sec);
  EXPECT_GE(seconds, tv.tv_sec);
  EXPECT_EQ(function<long(clockid_t, timespec*)>("__vdso_clock_getres")(CLOCK_REALTIME, &resolution), 0);
  EXPECT_EQ(resolution.tv_sec, 0);
  EXPECT_EQ(function<long(unsigned*, unsigned*, void*)>("__vdso_getcpu")(&cpu, &node, nullptr), 0);
  EXPECT_NE(cpu, ~0u);
  EXPECT_EQ(osp_test_entries, 4u);
}

// What the handler of the unwinding test saw.
struct Seen {
  bool has_rules = false;     // the restorer has an FDE, so no fallback was used
  bool passed_frame = false;  // the interrupted instruction was found, as one before which nothing ran
  uint64_t rbx = 0;           // as restored by the rules
  int frames_after = 0;
} seen;

void* restorer = nullptr;

_Unwind_Reason_Code visit(_Unwind_Context* context, void*) {
  int before_instruction = 0;
  const uint64_t ip = _Unwind_GetIPInfo(context, &before_instruction);
  if (seen.passed_frame) ++seen.frames_after;
  if (ip == reinterpret_cast<uint64_t>(osp_test_fault_at) && before_instruction != 0) {
    seen.passed_frame = true;
    seen.rbx = _Unwind_GetGR(context, 3);
  }
  return _URC_NO_REASON;
}

void handler(int, siginfo_t*, void* context) {
  void* bases[3] = {};
  seen.has_rules = _Unwind_Find_FDE(static_cast<char*>(restorer) - 1, bases) != nullptr;
  _Unwind_Backtrace(visit, nullptr);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;  // past the ud2
}

struct KernelAction {
  void (*handler)(int, siginfo_t*, void*);
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};

TEST_F(Call, UnwindersPassTheRestorerAndItReturns) {
  restorer = loaded_.symbol("__vdso_rt_sigreturn");
  ASSERT_NE(restorer, nullptr);
  constexpr unsigned long sa_restorer = 0x0400'0000;
  const KernelAction action = {handler, SA_SIGINFO | sa_restorer, restorer, 0};
  KernelAction old{};
  ASSERT_EQ(raw::syscall(SYS_rt_sigaction, SIGILL, &action, &old, 8), 0);
  osp_test_fault();
  ASSERT_EQ(raw::syscall(SYS_rt_sigaction, SIGILL, &old, nullptr, 8), 0);
  EXPECT_TRUE(seen.has_rules);
  EXPECT_TRUE(seen.passed_frame);
  EXPECT_EQ(seen.rbx, 0x5eedu);
  EXPECT_GT(seen.frames_after, 2);
}

}  // namespace
}  // namespace osp::vdso
