#include "libosp/start.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/door2.h"
#include "libosp/file/names.h"
#include "libosp/host/side.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/exec.h"
#include "libosp/task/fork.h"
#include "libosp/task/process.h"
#include "libosp/trap/raw_handler.h"

namespace osp {
namespace {

using task::Process;
using task::Thread;

constexpr int status_failed = 125, status_not_runnable = 126, status_not_found = 127;

std::vector<std::string> copy_strings(const char* const* strings) {
  std::vector<std::string> all;
  for (; strings != nullptr && *strings != nullptr; ++strings) all.emplace_back(*strings);
  return all;
}

std::string_view variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment)
    if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=')
      return std::string_view(entry).substr(name.size() + 1);
  return {};
}

// Dispositions and mask that we were started with are the program's (nohup(1) relies on it); by door 2 it
// may have handlers already.
void take_signals(Thread& thread, const host::ProgramStart* start) {
  Process& p = thread.process;
  if (p.environment != nullptr) return;
  signal::Mask mask = 0;
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, 0, &mask, 8);
  if (start != nullptr) mask = start->signal_mask & ~signal::unblockable;
  thread.signals.mask = mask;
  for (int signo = 1; signo <= signal::last_signal; ++signo) {
    if (signo == SIGKILL || signo == SIGSTOP) continue;
    const bool of_core = signo == trap::tick_signal || signo == trap::control_signal || signo == SIGSYS;
    signal::Action before;
    trap::install_handler(signo, 0, &before);
    if (of_core) continue;
    p.signals.actions[static_cast<size_t>(signo)] = before;
    if (before.handler == 1 || signo == SIGCHLD) signal::mirror(p, signo);
  }
  const signal::Mask terminal = mask & (signal::bit(SIGTTIN) | signal::bit(SIGTTOU));
  raw::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &terminal, 0, 8);
  task::this_worker().terminal_mask = terminal;
}

// execvp(3): EACCES in one place of PATH does not keep us from looking in the next.
long execute_in_path(Thread& thread, const std::string& name, const std::vector<std::string>& argv,
                     const std::vector<std::string>& envp) {
  const auto attempt = [&](const std::string& path) { return task::execute(thread, AT_FDCWD, path, argv, envp, 0); };
  if (name.find('/') != std::string::npos || name.empty()) return attempt(name);
  std::string_view path = variable(envp, "PATH");
  if (path.empty()) path = "/bin:/usr/bin";
  long result = -ENOENT;
  for (;;) {
    const size_t colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    const long tried = attempt(directory.empty() ? name : fmt::format("{}/{}", directory, name));
    if (tried == task::call_was_replaced) return tried;
    if (tried != -ENOENT && tried != -ENOTDIR && result != -EACCES) result = tried;
    if (tried != -ENOENT && tried != -ENOTDIR && tried != -EACCES) return tried;
    if (colon == std::string_view::npos) return result;
    path.remove_prefix(colon + 1);
  }
}

// Who speaks to the user.
const char* speaker(const host::BootBlock& boot) {
  if (host::is_native()) return "osp-boot";
  return boot.door == host::Door::preload ? "core" : "osp-run";
}

[[noreturn]] void refuse_program(Process& p, const char* speaker, std::string_view name, long error) {
  const char* remedy = "";
  if (error == -ENOENT) remedy = name.find('/') == std::string::npos ? "; it is in no directory of PATH" : "";
  if (error == -EACCES) remedy = "; is it a regular file with execute permission?";
  std::string why = task::last_refusal();
  if (why.empty()) why = describe(Error(static_cast<int>(-error)));
  log::error(speaker, "{}: {}{}", name, why, remedy);
  p.end(W_EXITCODE(error == -ENOENT ? status_not_found : status_not_runnable, 0));
}

void make_name_space(Process& p, const host::BootBlock& boot, ns::ServerFactory& servers) {
  if (auto applied = p.names->apply(boot, copy_strings(boot.envp), servers); !applied) {
    ns::Trouble& trouble = applied.error().trouble;
    if (host::is_native() && trouble.code == ENOENT)
      trouble.remedy += "; only what was packed is there (osp-boot --add, --root)";
    log::error(speaker(boot), "{}", applied.error().text());
    p.end(W_EXITCODE(status_failed, 0));
  }
}

void enter_directory(Process& p, const host::BootBlock& boot) {
  const char* directory = boot.change_directory;
  if (directory == nullptr) return;
  const auto held = p.names->hold(AT_FDCWD, directory);
  const auto entered = held ? p.names->change_directory(held->request(true)) : Result<void>(fail(held.error().code));
  if (entered) return;
  log::error(speaker(boot), "--chdir {}: {}", directory, describe(entered.error()));
  p.end(W_EXITCODE(status_failed, 0));
}

void run_first_program(Thread& thread, const host::BootBlock& boot) {
  const long result = execute_in_path(thread, boot.program, copy_strings(boot.argv), copy_strings(boot.envp));
  if (result != task::call_was_replaced) refuse_program(thread.process, speaker(boot), boot.program, result);
}

// Door 2: the program runs already.
void go_on_with_program(Thread& thread, const host::BootBlock& boot) {
  if (const auto adopted = adopt_program(thread, boot); !adopted) {
    const bool threads = adopted.error().code == EBUSY;
    log::error("core", "this program cannot be taken over: {}",
               threads ? "it has several threads already" : describe(adopted.error()));
    thread.process.end(W_EXITCODE(status_failed, 0));
  }
}

void begin(Thread& thread, const host::BootBlock& boot, ns::ServerFactory& servers) {
  make_name_space(thread.process, boot, servers);
  if (boot.door == host::Door::preload) return go_on_with_program(thread, boot);
  enter_directory(thread.process, boot);
  run_first_program(thread, boot);
}

}  // namespace

void start_program(const host::BootBlock& boot, ns::ServerFactory& servers) {
  Process& p = task::process();
  p.threads.push_back(std::make_unique<Thread>(p, p.pid));
  Thread& thread = *p.threads.back();
  task::prepare_worker();
  take_signals(thread, boot.start);
  p.scheduler.start(thread, [&thread, &boot, &servers] {
    try {
      begin(thread, boot, servers);
    } catch (const Process::Left&) {  // natively it ends as a program does
    }
    task::run_thread(thread);
  });
  p.scheduler.run();
}

}  // namespace osp
