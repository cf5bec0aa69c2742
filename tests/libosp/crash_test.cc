// A fault in the core itself: the process is stopped where it waits in the core, and made to call address 0.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "libosp/crash_names.h"
#include "libosp/host/window.h"

namespace osp {
namespace {

TEST(ReadableName, ScopesAreKeptAndParametersDropped) {
  char out[64];
  EXPECT_EQ(readable_name("_ZN3osp4task9Scheduler4parkERNS0_6ThreadEmb", out, sizeof out),
            "osp::task::Scheduler::park");
  EXPECT_EQ(readable_name("_ZNK3osp4task9Scheduler9has_readyEv", out, sizeof out), "osp::task::Scheduler::has_ready");
  EXPECT_EQ(readable_name("_ZN3osp12_GLOBAL__N_16reportEi", out, sizeof out), "osp::report");
  EXPECT_EQ(readable_name("_ZSt9terminatev", out, sizeof out), "std::terminate");
  EXPECT_EQ(readable_name("main", out, sizeof out), "main");
  EXPECT_EQ(readable_name("_ZN3ospplEii", out, sizeof out), "_ZN3ospplEii");
  EXPECT_EQ(readable_name("_ZN3osp", out, sizeof out), "osp");
  EXPECT_EQ(readable_name("_ZN99x", out, sizeof out), "_ZN99x");
}

std::string text_of(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

class Crash : public testing::Test {
 protected:
  void SetUp() override {
    output_ = testing::TempDir() + "osp-crash." + std::to_string(getpid());
    child_ = fork();
    if (child_ != 0) return;
    const int fd = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1), dup2(fd, 2);
    execl(OSP_TEST_BIN "/osp-run", "osp-run", OSP_TEST_FIXTURE, nullptr);
    _exit(121);
  }
  void TearDown() override {
    if (child_ > 0) kill(child_, SIGKILL), waitpid(child_, nullptr, 0);
    unlink(output_.c_str());
  }
  // Stops the process until it is found waiting in the core.
  bool stop_in_core(user_regs_struct& registers) const {
    const timespec pause = {0, 5'000'000};
    for (int tries = 0; tries < 2000; ++tries) {
      nanosleep(&pause, nullptr);
      if (text_of(output_).find("begun") == std::string::npos) continue;
      if (ptrace(PTRACE_ATTACH, child_, 0, 0) != 0 || waitpid(child_, nullptr, 0) != child_) return false;
      if (ptrace(PTRACE_GETREGS, child_, 0, &registers) != 0) return false;
      if (window::contains(registers.rip) && static_cast<long>(registers.orig_rax) >= 0) return true;
      ptrace(PTRACE_DETACH, child_, 0, 0);
    }
    return false;
  }

  std::string output_;
  pid_t child_ = 0;
};

TEST_F(Crash, TheReportHasTheStackOfEachThreadWithNames) {
  user_regs_struct r = {};
  ASSERT_TRUE(stop_in_core(r)) << text_of(output_);
  r.rsp -= 8;
  ASSERT_EQ(ptrace(PTRACE_POKEDATA, child_, r.rsp, r.rip), 0);
  r.rip = 0;
  r.orig_rax = ~0ULL;  // no call to begin again
  ASSERT_EQ(ptrace(PTRACE_SETREGS, child_, 0, &r), 0);
  ptrace(PTRACE_DETACH, child_, 0, 0);
  int status = 0;
  ASSERT_EQ(waitpid(std::exchange(child_, 0), &status, 0) > 0, true);
  const std::string said = text_of(output_);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status << said;
  for (const char* part : {"failed: SIGSEGV at 0x0", "#0 0x0", "osp::task::Scheduler::idle", "(waits) in read",
                           "(sleeps) in clock_nanosleep", "osp::task::Scheduler::park", "osp::task::run_thread"})
    EXPECT_NE(said.find(part), std::string::npos) << part << " in\n" << said;
  EXPECT_EQ(said.find(" ?+"), said.find(" ?+0x0")) << said;
}

}  // namespace
}  // namespace osp
