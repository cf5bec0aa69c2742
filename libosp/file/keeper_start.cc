#include "libosp/file/keeper_start.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/host/host.h"
#include "libosp/signal/state.h"

namespace osp::keeper {
namespace {

constexpr int control_fd = 3;

std::string core_directory;
std::vector<std::string> variables;

// Which of the program's variables the keeper is given.
bool is_passed_on(std::string_view variable) {
  constexpr std::string_view names[] = {
      "OSP_LOG=", "OSP_CACHE_MIB=", "OSP_AGENT=", "HOME=", "PATH=", "XDG_CONFIG_HOME="};
  return std::ranges::any_of(names, [&](std::string_view name) { return variable.starts_with(name); });
}

Result<std::string> find_program() {
  for (const char* place : {"", "../bin/"}) {
    std::string path = fmt::format("{}{}osp-keeper", core_directory, place);
    if (raw::syscall(SYS_access, path.c_str(), X_OK) == 0) return path;
  }
  return fail(ENOENT);
}

// In the new process, which has a copy of the core's memory until execve: raw system calls only.
[[noreturn]] void become_keeper(const char* path, int socket, char* const* envp, bool keep_stderr) {
  raw::syscall(SYS_setsid);
  const signal::Action standard;
  for (int signo = 1; signo <= signal::last_signal; ++signo) raw::syscall(SYS_rt_sigaction, signo, &standard, 0, 8);
  const long null = raw::syscall(SYS_open, "/dev/null", O_RDWR, 0);
  for (int fd = 0; fd < (keep_stderr ? 2 : 3); ++fd) raw::syscall(SYS_dup2, null, fd);
  raw::syscall(SYS_dup2, socket, control_fd);
  raw::syscall(SYS_close_range, control_fd + 1, ~0U, 0);
  raw::syscall(SYS_chdir, "/");
  const signal::Mask none = 0;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, 8);
  const char* const argv[] = {"osp-keeper", nullptr};
  raw::syscall(SYS_execve, path, argv, envp);
  host::end(127);
}

long raw_fork(int exit_signal) { return raw::syscall(SYS_clone, exit_signal, 0, 0, 0, 0); }

// The child in between ends at once, so that the keeper is init's. Its end raises no SIGCHLD.
Result<void> spawn(const std::string& path, int socket) {
  std::vector<char*> envp;
  bool logs = false;
  for (std::string& variable : variables) {
    envp.push_back(variable.data());
    logs = logs || variable.starts_with("OSP_LOG=");
  }
  envp.push_back(nullptr);
  const signal::Mask all = ~signal::Mask{0};
  signal::Mask before = 0;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8);
  const long child = raw_fork(0);
  if (child == 0) {
    if (raw_fork(0) == 0) become_keeper(path.c_str(), socket, envp.data(), logs);
    host::end(0);
  }
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, 8);
  OSP_TRY(from_raw<void>(child));
  while (raw::syscall(SYS_wait4, child, 0, __WALL, 0) == -EINTR) {
  }
  return {};
}

}  // namespace

void remember(const host::BootBlock& boot) {
  const std::string_view core = boot.core_path != nullptr ? boot.core_path : "";
  core_directory = core.substr(0, core.rfind('/') + 1);
  for (const char* const* entry = boot.envp; entry != nullptr && *entry != nullptr; ++entry)
    if (is_passed_on(*entry)) variables.emplace_back(*entry);
}

Result<int> start() {
  OSP_ASSIGN(const std::string path, find_program());
  int ends[2] = {-1, -1};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)));
  const int ours = static_cast<int>(file::keep_fd(ends[0])), theirs = static_cast<int>(file::keep_fd(ends[1]));
  const auto spawned = ours < 0 || theirs < 0 ? fail(EMFILE) : spawn(path, theirs);
  file::drop_fd(theirs);
  if (spawned) return ours;
  file::drop_fd(ours);
  return std::unexpected(spawned.error());
}

}  // namespace osp::keeper
