// Checkpoints and restores a real process, by the commands that people use.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int patience_s = 60;

std::string tool(const std::string& name) { return std::string(OSP_TEST_BIN) + "/" + name; }

class Live : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/osp-live.XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    if (child_ > 0) kill(child_, SIGKILL), waitpid(child_, nullptr, 0);
    if (!HasFailure()) std::system(("rm -rf " + directory_).c_str());
  }

  // Starts a command in the test's directory; its output is appended to `log`.
  pid_t start(const std::vector<std::string>& command, const std::string& log) const {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    std::vector<char*> argv;
    for (const std::string& word : command)
      argv.push_back(const_cast<char*>(word.c_str()));  // execv(3) changes nothing
    argv.push_back(nullptr);
    close_range(3, ~0U, 0);  // a caller's pipes would be open files of the program
    if (chdir(directory_.c_str()) != 0) _exit(120);
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    close(fd);
    execv(argv[0], argv.data());
    _exit(121);
  }
  int run(const std::vector<std::string>& command) const {
    int status = 0;
    waitpid(start(command, "tools"), &status, 0);
    return status;
  }
  [[nodiscard]] std::string text(const std::string& file) const {
    std::ostringstream all;
    all << std::ifstream(directory_ + "/" + file).rdbuf();
    return all.str();
  }
  // Waits for what must come; a minute is for a machine that is very busy.
  [[nodiscard]] bool await(const std::string& file, const std::string& what) const {
    const timespec pause = {0, 5'000'000};
    for (const time_t end = time(nullptr) + patience_s; time(nullptr) < end; nanosleep(&pause, nullptr))
      if (text(file).find(what) != std::string::npos) return true;
    return false;
  }
  // Waits until the child has become the program of the image.
  [[nodiscard]] bool await_core() const {
    const timespec pause = {0, 5'000'000};
    for (const time_t end = time(nullptr) + patience_s; time(nullptr) < end; nanosleep(&pause, nullptr))
      if (run({tool("osp"), "status", std::to_string(child_)}) == 0) return true;
    return false;
  }
  void start_fixture() {
    child_ = start({tool("osp-run"), OSP_TEST_FIXTURE}, "out");
    ASSERT_TRUE(await("out", "begun")) << text("out");
  }
  int finish() {
    int status = 0;
    std::ofstream(directory_ + "/go");
    waitpid(std::exchange(child_, 0), &status, 0);
    return status;
  }
  [[nodiscard]] std::string image() const { return directory_ + "/image.osp"; }

  std::string directory_;
  pid_t child_ = 0;
};

TEST_F(Live, EverythingComesBack) {
  start_fixture();
  for (int generation = 0; generation < 3; ++generation) {
    ASSERT_EQ(run({tool("osp"), "checkpoint", std::to_string(child_), "-o", image()}), 0) << text("tools");
    int status = 0;
    ASSERT_EQ(waitpid(child_, &status, 0), child_);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    EXPECT_EQ(run({tool("osp"), "image", "check", image()}), 0) << text("tools");
    child_ = start({tool("osp"), "restore", image()}, "out");
    ASSERT_TRUE(await_core()) << text("tools");
  }
  const int status = finish();
  EXPECT_EQ(text("out"), "begun\nended, 0 wrong\n");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

// The memory file system ends with the environment, and travels in the image.
TEST_F(Live, MemoryTreesComeBack) {
  std::ofstream(directory_ + "/ns") << "bind -p '#m' /scratch\nbind -p '#m' /again\n";
  child_ = start({tool("osp-run"), "--ns", directory_ + "/ns", OSP_TEST_TREE_FIXTURE}, "out");
  ASSERT_TRUE(await("out", "begun")) << text("out");
  for (int generation = 0; generation < 2; ++generation) {
    ASSERT_EQ(run({tool("osp"), "checkpoint", std::to_string(child_), "-o", image()}), 0) << text("tools");
    waitpid(child_, nullptr, 0);
    EXPECT_EQ(run({tool("osp"), "image", "check", image()}), 0) << text("tools");
    child_ = start({tool("osp"), "restore", image()}, "out");
    ASSERT_TRUE(await_core()) << text("tools");
  }
  EXPECT_EQ(run({tool("osp"), "image", "show", image()}), 0);
  EXPECT_NE(text("tools").find("tree #m.: 6 files, 5 names"), std::string::npos) << text("tools");
  const int status = finish();
  EXPECT_EQ(text("out"), "begun\nended, 0 wrong\n");
  EXPECT_EQ(status, 0);
}

TEST_F(Live, LeaveRunningLeavesItRunning) {
  start_fixture();
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(run({tool("osp"), "checkpoint", "--leave-running", std::to_string(child_), "-o", image()}), 0)
        << text("tools");
  const int status = finish();
  EXPECT_EQ(text("out"), "begun\nended, 0 wrong\n");
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

TEST_F(Live, ProcessesAreListedAndLookedInto) {
  start_fixture();
  (void)run({tool("osp"), "ps", "--json"});  // other people's processes may not answer
  EXPECT_NE(text("tools").find("\"process\":" + std::to_string(child_)), std::string::npos) << text("tools");
  const auto is_seen_asleep = [&] { return text("tools").find(" in clock_nanosleep(") != std::string::npos; };
  for (int looks = 0; looks < 50 && !is_seen_asleep(); ++looks)  // it is awake for a moment each 2 ms
    EXPECT_EQ(run({tool("osp"), "stack", std::to_string(child_)}), 0);
  EXPECT_TRUE(is_seen_asleep()) << text("tools");
  EXPECT_EQ(finish() >> 8, 7);
}

TEST_F(Live, WhatCannotBeAskedIsToldApart) {
  child_ = start({"/bin/sleep", "100"}, "out");
  EXPECT_EQ(run({tool("osp"), "checkpoint", std::to_string(child_), "-o", image()}) >> 8, 1);
  EXPECT_NE(text("tools").find("does not run in Osprey"), std::string::npos) << text("tools");
  EXPECT_EQ(kill(child_, 0), 0) << "it was not harmed";
  EXPECT_EQ(run({tool("osp"), "stack", "999999999"}) >> 8, 1);
  EXPECT_NE(text("tools").find("there is no process 999999999"), std::string::npos) << text("tools");
}

TEST_F(Live, ABadImageIsRefusedWithTheReason) {
  std::ofstream(image()) << "no image at all";
  EXPECT_EQ(run({tool("osp"), "restore", image()}) >> 8, 125);
  EXPECT_NE(text("tools").find("restore: " + image() + ": "), std::string::npos) << text("tools");
}

TEST_F(Live, AChildIsNamedAndTheProcessGoesOn) {
  mkfifo((directory_ + "/gate").c_str(), 0600);
  child_ = start({tool("osp-run"), "/bin/bash", "-c", "/bin/cat gate & echo begun; wait; echo ended"}, "out");
  ASSERT_TRUE(await("out", "begun")) << text("out");
  EXPECT_EQ(run({tool("osp"), "checkpoint", std::to_string(child_), "-o", image()}) >> 8, 1);
  EXPECT_NE(text("tools").find("child processes"), std::string::npos) << text("tools");
  std::ofstream(directory_ + "/gate") << "through\n";
  int status = 0;
  waitpid(std::exchange(child_, 0), &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text("out"), "begun\nthrough\nended\n");
}

}  // namespace
