#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace osp::task {
class Process;
}

namespace osp::control {

// `checkpoint [leave-running] [force] [progress=FILE] PATH`, as written to ctl: the path is the rest of the text.
struct CheckpointOrder {
  bool leave_running = false;  // else the process ends, as by SIGKILL, once the image is durable
  bool force = false;          // what cannot come back is left out
  std::string progress;        // a file that gets "DONE TOTAL\n" in bytes of pages now and then; empty: none
  std::string path;            // of the image; absolute, on the host
};
// Nothing: not such a command.
std::expected<CheckpointOrder, std::string> parse_checkpoint(std::string_view command);

// Who writes images. All threads of the process are stopped; both block as long as it takes.
struct Hooks {
  // The image is durable, and this is said of it; or why there is none, for a person.
  std::expected<std::string, std::string> (*checkpoint)(task::Process& process, const CheckpointOrder& order) = nullptr;
  // How each open file comes back at a restore: `fd 5: socket: reset`; one a line.
  std::string (*report)(task::Process& process) = nullptr;
};
// Set once, at start.
void set_hooks(const Hooks& hooks);
const Hooks& hooks();

}  // namespace osp::control
