#include "libosp/device/terminals.h"

#include <unistd.h>

#include <map>

#include "libosp/device/job_control.h"

namespace osp::device {
namespace {

struct Terminals {
  std::map<uint64_t, std::shared_ptr<Terminal>> by_device;
  std::shared_ptr<Terminal> console;
};

Terminals& terminals() {
  static Terminals all;
  return all;
}

}  // namespace

void add_terminal(std::shared_ptr<Terminal> terminal) { terminals().by_device[terminal->device] = std::move(terminal); }

void drop_terminal(uint64_t device) { terminals().by_device.erase(device); }

std::shared_ptr<Terminal> find_terminal(uint64_t device) {
  const auto found = terminals().by_device.find(device);
  return found == terminals().by_device.end() ? nullptr : found->second;
}

std::shared_ptr<Terminal> terminal_of_session(int session) {
  for (const auto& [device, terminal] : terminals().by_device)
    if (session != 0 && terminal->session == session) return terminal;
  return nullptr;
}

void set_console(std::shared_ptr<Terminal> terminal) { terminals().console = std::move(terminal); }
std::shared_ptr<Terminal> console() { return terminals().console; }

void session_ended(int session) {
  const auto terminal = terminal_of_session(session);
  if (terminal == nullptr) return;
  terminal->leave_session(true);
  terminal->hang_up();
}

Result<std::shared_ptr<file::Description>> open_terminal(task::Thread& thread, std::shared_ptr<Terminal> terminal,
                                                         int flags) {
  if (terminal->exclusive && terminal->open_files > 0) return fail(EBUSY);
  const JobControl* jobs = job_control();
  if (jobs != nullptr && (flags & O_NOCTTY) == 0 && (flags & O_ACCMODE) != O_WRONLY && terminal->session == 0) {
    const int session = jobs->session_of(thread.process);
    if (session == thread.process.pid && terminal_of_session(session) == nullptr) {
      terminal->session = session;
      terminal->foreground = jobs->group_of(thread.process);
    }
  }
  return std::make_shared<TerminalFile>(std::move(terminal), flags);
}

}  // namespace osp::device
