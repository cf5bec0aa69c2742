#include "libosp/device/open.h"

#include <sys/stat.h>

#include "libosp/device/fifo.h"
#include "libosp/device/job_control.h"
#include "libosp/device/memory_devices.h"
#include "libosp/device/pty.h"
#include "libosp/device/terminals.h"
#include "libosp/device/text_device.h"

namespace osp::device {
namespace {

using Opened = Result<std::shared_ptr<file::Description>>;

Opened open_own_terminal(task::Thread& thread, int flags) {
  const JobControl* jobs = job_control();
  auto terminal = jobs == nullptr ? nullptr : terminal_of_session(jobs->session_of(thread.process));
  if (terminal == nullptr) return fail(ENXIO);
  return open_terminal(thread, std::move(terminal), flags | O_NOCTTY);
}

Opened open_character_device(task::Thread& thread, const Node& node, int flags) {
  const uint64_t device = node.attributes.device;
  if (auto file = open_memory_device(node, flags)) return file;
  if (auto file = open_text_device(node, flags); file || file.error().code != ENXIO) return file;
  if (device == tty_device) return open_own_terminal(thread, flags);
  if (device == ptmx_device) return open_ptmx(flags);
  auto terminal = device == console_device ? console() : find_terminal(device);
  if (terminal == nullptr) return fail(ENXIO);
  if (const auto* pty = dynamic_cast<const Pty*>(terminal.get()); pty != nullptr && pty->locked) return fail(EIO);
  return open_terminal(thread, std::move(terminal), device == console_device ? flags | O_NOCTTY : flags);
}

}  // namespace

long open_node(task::Thread& thread, const Node& node, int flags, std::shared_ptr<file::Description>& opened) {
  const int kept = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
  if (S_ISFIFO(node.attributes.mode)) return open_fifo(thread, node, kept & ~O_NOCTTY, opened);
  if (!S_ISCHR(node.attributes.mode)) return -ENXIO;
  auto file = open_character_device(thread, node, kept);
  if (!file) return -file.error().code;
  opened = std::move(*file);
  opened->flags &= ~O_NOCTTY;
  return 0;
}

}  // namespace osp::device
