#include "libosp/control/order.h"

namespace osp::control {
namespace {

Hooks wired;

std::string_view next_word(std::string_view& text) {
  const size_t end = text.find(' ');
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

}  // namespace

void set_hooks(const Hooks& hooks) { wired = hooks; }
const Hooks& hooks() { return wired; }

std::expected<CheckpointOrder, std::string> parse_checkpoint(std::string_view command) {
  if (command.ends_with('\n')) command.remove_suffix(1);
  if (next_word(command) != "checkpoint") return std::unexpected("no such command; there is: checkpoint PATH");
  CheckpointOrder order;
  while (!command.empty() && command.front() != '/') {
    const std::string_view word = next_word(command);
    if (word == "leave-running") {
      order.leave_running = true;
    } else if (word == "force") {
      order.force = true;
    } else if (word.starts_with("progress=/")) {
      order.progress = word.substr(9);
    } else {
      return std::unexpected("checkpoint: the image's path must be absolute");
    }
  }
  if (command.empty()) return std::unexpected("checkpoint: where to?");
  order.path = command;
  return order;
}

}  // namespace osp::control
