#include "tools/osp_checkpoint.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "tools/control_channel.h"

namespace osp::tools {
namespace {

using namespace std::chrono_literals;

struct Options {
  pid_t pid = 0;
  std::string file;
  bool leave_running = false, force = false;
};

// The process writes how far it is into a file of ours; on a terminal that is drawn.
class Progress {
 public:
  Progress() : fd_(memfd_create("osp-progress", MFD_CLOEXEC)), shown_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  [[nodiscard]] std::string path() const { return fmt::format("/proc/{}/fd/{}", getpid(), fd_.get()); }
  void draw() const {
    char line[64] = {};
    unsigned long long done = 0, total = 0;
    if (!shown_ || pread(fd_.get(), line, sizeof line - 1, 0) <= 0) return;
    if (std::sscanf(line, "%llu %llu", &done, &total) != 2 || total == 0) return;
    fmt::print(stderr, "\r[{:<50}] {:3} %", std::string(std::min(50ULL, done * 50 / total), '#'), done * 100 / total);
  }

 private:
  pip::HostFd fd_;
  bool shown_;
};

int complain(const std::string& text) {
  fmt::print(stderr, "osp: checkpoint: {}\n", text);
  return EXIT_FAILURE;
}

bool report(const Control& control, bool force) {
  const auto text = control.read("report");
  bool good = true;
  for (size_t at = 0; text && at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    const bool fatal = line.starts_with("! ");
    if (fatal) line.erase(0, 2);
    const bool can_force = line.starts_with("fd ");
    good = good && (!fatal || (force && can_force));
    const char* note = !fatal ? "" : !can_force ? "" : force ? ": left out" : " (--force leaves it out)";
    fmt::print(stderr, "osp: checkpoint: {}{}\n", line, note);
  }
  return good;
}

// So that nothing of it is in the way of a restore.
void await_end(pid_t pid) {
  for (int tries = 0; tries < 500; ++tries) {
    if (kill(pid, 0) != 0) return;
    std::error_code ignored;
    const auto exe = std::filesystem::read_symlink(fmt::format("/proc/{}/exe", pid), ignored);
    if (ignored) return;  // a zombie: its parent has yet to hear
    std::this_thread::sleep_for(10ms);
  }
}

int run(const Options& options) {
  std::error_code error;
  const std::string path = std::filesystem::absolute(options.file, error).string();
  auto control = Control::open(options.pid);
  if (!control) return complain(control.error());
  if (!report(*control, options.force))
    return complain(fmt::format("process {} goes on; there is no image", options.pid));
  const Progress progress;
  control->channel->while_waiting([&] { progress.draw(); });
  pip::OpenMode mode;
  mode.write = true;
  auto ctl = control->tree->open("ctl", mode);
  if (!ctl) return complain(describe(Error(ctl.error().code)));
  const std::string order = fmt::format("checkpoint {}{}progress={} {}", options.leave_running ? "leave-running " : "",
                                        options.force ? "force " : "", progress.path(), path);
  const auto written = ctl->file->write(0, std::as_bytes(std::span(order)));
  const auto result = control->read("ctl");
  if (!written) return complain(result && !result->empty() ? *result : describe(written.error()));
  ctl->file.reset();  // it speaks through the channel
  control->tree.reset();
  control->channel.reset();
  if (!options.leave_running) await_end(options.pid);
  fmt::print("{}: {}\n", options.file, result ? *result : "");
  return EXIT_SUCCESS;
}

}  // namespace

void add_checkpoint_command(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("checkpoint", "Write a running process to an image");
  command->add_option("pid", options->pid, "The process")->required();
  command->add_option("-o,--output", options->file, "The image")->required();
  command->add_flag("--leave-running", options->leave_running, "The process goes on, instead of ending as by SIGKILL");
  command->add_flag("--force", options->force, "Leave out open files that cannot be brought back");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace osp::tools
