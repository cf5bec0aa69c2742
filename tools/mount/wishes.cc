#include "tools/mount/wishes.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

namespace osp::fuse {
namespace {

constexpr uint64_t bit(int signal) { return uint64_t{1} << static_cast<unsigned>(signal - 1); }

// Ignored where they have no handler; SIGALRM and its like end a process that does not catch them.
constexpr uint64_t ignored_by_default = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGCONT);
constexpr uint64_t only_tell = ignored_by_default | bit(SIGALRM) | bit(SIGVTALRM) | bit(SIGPROF) | bit(SIGIO);
// A program that is only stopped goes on with its call.
constexpr uint64_t stops_always = bit(SIGSTOP);
constexpr uint64_t stops_by_default = bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);

// The hexadecimal number of the line `name:`. 0: there is none.
uint64_t mask(std::string_view status, std::string_view name) {
  const std::string start = fmt::format("\n{}:\t", name);
  const size_t at = status.find(start);
  return at == std::string_view::npos
             ? 0
             : strtoull(std::string(status.substr(at + start.size(), 16)).c_str(), nullptr, 16);
}

}  // namespace

bool wants_to_leave(std::string_view status) {
  const uint64_t pending = mask(status, "SigPnd") | mask(status, "ShdPnd");
  const uint64_t caught = mask(status, "SigCgt");
  const uint64_t heard = pending & ~mask(status, "SigBlk") & ~mask(status, "SigIgn");
  const uint64_t stops = stops_always | (stops_by_default & ~caught);
  return (heard & ~(caught & only_tell) & ~(ignored_by_default & ~caught) & ~stops) != 0;
}

bool wants_to_leave(pid_t thread) {
  std::ifstream file(fmt::format("/proc/{}/status", thread));
  const std::string status((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return status.empty() || wants_to_leave(std::string_view(status));
}

}  // namespace osp::fuse
