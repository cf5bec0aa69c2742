#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "tests/namespace/random_calls.h"

// The resolver and the memory file system against the kernel: the same random calls, made in a temporary
// directory as root of a child process and in a MemServer as root of a name space, must give the same
// results and errors, call by call.
namespace osp::ns::test {
namespace {

// Runs the calls in a child whose root is `directory`; its results, one a line.
std::vector<std::string> run_on_kernel(const std::string& directory, const std::vector<Call>& calls) {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    close(pipe_fds[0]);
    if (!enter_root(directory)) _exit(77);
    for (const Call& call : calls) {
      const std::string line = call_kernel(call) + "\n";
      if (::write(pipe_fds[1], line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(1);
    }
    _exit(0);
  }
  close(pipe_fds[1]);
  std::string all;
  char buffer[65536];
  for (ssize_t size = 0; (size = ::read(pipe_fds[0], buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<size_t>(size));
  close(pipe_fds[0]);
  int status = 0;
  waitpid(child, &status, 0);
  std::vector<std::string> lines;
  std::istringstream stream(all);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class KernelCompare : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    char name[] = "/tmp/osp-ns-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    if (directory_.empty()) return;
    EXPECT_EQ(std::system(("rm -rf '" + directory_ + "'").c_str()), 0);
  }
  std::string directory_;
};

TEST_P(KernelCompare, AgreesCallByCall) {
  const auto calls = random_calls(GetParam(), 1500);
  const auto expected = run_on_kernel(directory_, calls);
  if (expected.empty()) GTEST_SKIP() << "no permission to change the root of a child";
  ASSERT_EQ(expected.size(), calls.size());
  const World world;
  size_t done = 0;
  for (size_t i = 0; i < calls.size(); ++i) {
    const std::string got = world.call(calls[i]);
    ASSERT_EQ(got, expected[i]) << "seed " << GetParam() << ", call " << i << ": " << calls[i].describe();
    done += got.starts_with("ok") ? 1 : 0;
  }
  EXPECT_GT(done, calls.size() / 20) << "the calls hardly did anything";
}

INSTANTIATE_TEST_SUITE_P(Seeds, KernelCompare, testing::Range(1U, 41U));
// These have found faults in the order of a rename's errors.
INSTANTIATE_TEST_SUITE_P(Found, KernelCompare, testing::Values(48U, 99U, 104U, 125U, 167U));

}  // namespace
}  // namespace osp::ns::test
