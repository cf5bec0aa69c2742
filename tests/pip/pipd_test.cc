// The real pipd and pip, with the connection cut or held back, and with pipd killed and started again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "pip/client.h"
#include "pip/stream_channel.h"
#include "pip/stream_socket.h"

extern char** environ;

namespace osp::pip {
namespace {

using namespace std::chrono_literals;

class Process {
 public:
  explicit Process(std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ), 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) stop(SIGKILL);
  }
  void signal(int number) const { kill(pid_, number); }
  int stop(int number) {
    signal(number);
    return wait();
  }
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class PipdTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/osp-pipd-test-XXXXXX";
    base_ = mkdtemp(name);
    std::filesystem::create_directory(base_ + "/tree");
    start_pipd();
    proxy_ = std::make_unique<Process>(
        std::vector<std::string>{OSP_CUT_PROXY, "unix:" + base_ + "/proxy", "unix:" + base_ + "/socket"});
    await_socket("/proxy");
    std::ofstream out(base_ + "/source", std::ios::binary);
    std::mt19937_64 random(7);
    for (int i = 0; i < 3 << 20; ++i) {
      const uint64_t value = random();
      out.write(reinterpret_cast<const char*>(&value), sizeof value);  // 24 MiB
    }
  }
  void TearDown() override {
    proxy_.reset();
    pipd_.reset();
    std::filesystem::remove_all(base_);
  }

  void start_pipd() {
    std::filesystem::remove(base_ + "/socket");
    pipd_ = std::make_unique<Process>(std::vector<std::string>{
        OSP_PIPD, "--export", base_ + "/tree", "--listen", "unix:" + base_ + "/socket", "--state", base_ + "/state"});
    await_socket("/socket");
  }
  // The socket appears when the program is ready.
  void await_socket(const std::string& name) const {
    Address address{.unix_path = base_ + name};
    for (int i = 0; i < 1000 && !connect_stream(address, 100); ++i) std::this_thread::sleep_for(10ms);
  }
  [[nodiscard]] std::string url(const std::string& path) const { return "pip+unix://" + base_ + "/proxy!/" + path; }
  std::unique_ptr<Process> pip(std::vector<std::string> words) {
    words.insert(words.begin(), OSP_PIP);
    return std::make_unique<Process>(std::move(words));
  }
  // Disturbs until at least some of `path` is there, and then until the process ends.
  void wait_for_some(const std::string& path) const {
    std::error_code error;
    for (int i = 0; i < 1000; ++i) {
      if (const auto size = std::filesystem::file_size(path, error); !error && size > 0) return;
      std::this_thread::sleep_for(1ms);
    }
  }
  bool same(const std::string& a, const std::string& b) const {
    return Process({"/usr/bin/cmp", base_ + a, base_ + b}).wait() == 0;
  }

  std::string base_;
  std::unique_ptr<Process> pipd_, proxy_;
};

TEST_F(PipdTest, CopyUpWhileTheLinkIsCutAndTheServerKilled) {
  const auto copy = pip({"cp", base_ + "/source", url("copy")});
  wait_for_some(base_ + "/tree/copy");
  for (int i = 0; i < 3; ++i) {
    proxy_->signal(SIGUSR1);
    pipd_->stop(SIGKILL);
    start_pipd();
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(copy->wait(), 0);
  EXPECT_TRUE(same("/source", "/tree/copy"));
}

TEST_F(PipdTest, CopyDownWhileTheLinkIsCutAndTheServerKilled) {
  std::filesystem::copy(base_ + "/source", base_ + "/tree/remote");
  const auto copy = pip({"cp", url("remote"), base_ + "/local"});
  wait_for_some(base_ + "/local");
  for (int i = 0; i < 3; ++i) {
    proxy_->signal(SIGUSR1);
    pipd_->stop(SIGKILL);
    start_pipd();
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(copy->wait(), 0);
  EXPECT_TRUE(same("/tree/remote", "/local"));
}

TEST_F(PipdTest, SilenceIsSurvived) {
  const auto copy = pip({"cp", base_ + "/source", url("copy")});
  wait_for_some(base_ + "/tree/copy");
  proxy_->signal(SIGUSR2);
  std::this_thread::sleep_for(4s);  // longer than a client waits for a connection that has fallen silent
  proxy_->signal(SIGUSR2);
  EXPECT_EQ(copy->wait(), 0);
  EXPECT_TRUE(same("/source", "/tree/copy"));
}

TEST_F(PipdTest, OpenFilesOutliveTheServer) {
  const auto channel = std::move(*StreamChannel::create({.unix_path = base_ + "/proxy"}, {}));
  const auto client = std::move(*Client::create(*channel, "test"));
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  const OpenMode create{.read = true, .write = true, .create = true, .exclusive = true, .permissions = 0444};
  const auto kept = std::move(client->open("kept", create)->file);
  const auto gone = std::move(client->open("gone", create)->file);
  const auto log =
      std::move(client->open("log", {.write = true, .append = true, .create = true, .permissions = 0600})->file);
  EXPECT_EQ(gone->write(0, bytes("nameless")), 8U);
  EXPECT_TRUE(client->remove("gone", false));
  EXPECT_TRUE(client->rename("kept", "moved", 0));
  for (uint64_t i = 1; i <= 5; ++i) {
    pipd_->stop(SIGKILL);
    start_pipd();
    EXPECT_EQ(log->append(bytes("x")), i);
    EXPECT_EQ(kept->write(i, bytes("y")), 1U);
  }
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(gone->read(0, buffer), 8U);
  EXPECT_EQ(gone->stat()->links, 0U);
  EXPECT_EQ(client->stat("gone").error().code, ENOENT);
  EXPECT_TRUE(gone->close());
  EXPECT_EQ(client->stat("moved")->size, 6U);
  EXPECT_GE(channel->reconnections(), 5U);
  const auto root = client->open("", {.read = true, .directory = true});
  EXPECT_EQ(root->file->read_directory(0, 100)->size(), 2U);
}

TEST_F(PipdTest, SaysWhatIsWrong) {
  EXPECT_EQ(pip({"cat", url("none")})->wait(), 1);
  EXPECT_EQ(pip({"cat", "pip+unix:///nowhere!/x"})->wait(), 1);
  EXPECT_EQ(pip({"nonsense"})->wait(), 2);
  EXPECT_EQ(Process({OSP_PIPD, "--export", base_ + "/none", "--listen", "unix:" + base_ + "/s2"}).wait(), 1);
  EXPECT_EQ(Process({OSP_PIPD, "--export", base_, "--listen", "nowhere"}).wait(), 1);
  EXPECT_EQ(pipd_->stop(SIGTERM), 0);
}

}  // namespace
}  // namespace osp::pip
