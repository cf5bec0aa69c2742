#include "tools/mount/background.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace osp::fuse {
namespace {

constexpr char all_is_well = '\0';

void leave_streams() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, stream);
  close(null);
}

// False: the caller has gone, so there is nobody to tell.
bool tell(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::string hear(int fd) {
  std::string told;
  std::array<char, 512> buffer;
  while (true) {
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return told;
    told.append(buffer.data(), static_cast<size_t>(size));
  }
}

[[noreturn]] void go_on(int fd, const std::function<std::expected<void, std::string>()>& start,
                        const std::function<int()>& serve) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);  // who has ended the command wants no mount
  setsid();
  const auto started = start();
  if (!started) {
    tell(fd, started.error());
    _exit(EXIT_FAILURE);
  }
  if (chdir("/") == 0) leave_streams();  // it always can
  prctl(PR_SET_PDEATHSIG, 0);
  if (!tell(fd, std::string_view(&all_is_well, 1))) (void)!kill(getpid(), SIGTERM);
  close(fd);
  _exit(serve());
}

}  // namespace

void have_streams() {
  int fd = 0;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

int in_background(const std::function<std::expected<void, std::string>()>& start, const std::function<int()>& serve) {
  std::array<int, 2> told;
  if (pipe2(told.data(), O_CLOEXEC) != 0) {
    fmt::print(stderr, "osp: cannot start a process: {}\n", strerror(errno));
    return EXIT_FAILURE;
  }
  const pid_t pid = fork();
  if (pid == 0) {
    close(told[0]);
    go_on(told[1], start, serve);
  }
  close(told[1]);
  const std::string answer = hear(told[0]);
  close(told[0]);
  if (answer == std::string_view(&all_is_well, 1)) return EXIT_SUCCESS;
  fmt::print(stderr, "osp: {}\n", answer.empty() ? "the process that serves the mount has ended" : answer);
  waitpid(pid, nullptr, 0);
  return EXIT_FAILURE;
}

}  // namespace osp::fuse
