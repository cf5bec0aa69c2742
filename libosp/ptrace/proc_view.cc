#include "libosp/ptrace/proc_view.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/ptrace/tracee.h"

namespace osp::ptrace {
namespace {

using file::ProcEntry;
using Kind = ProcEntry::Kind;

constexpr int patience_ms = 100;

// Takes a number and the slash behind it off the path; 0: it begins with none.
int take_number(std::string_view& path) {
  int number = 0;
  size_t at = 0;
  for (; at < path.size() && path[at] >= '0' && path[at] <= '9' && at < 9; ++at) number = number * 10 + path[at] - '0';
  if (at == 0 || (at < path.size() && path[at] != '/')) return 0;
  path.remove_prefix(std::min(at + 1, path.size()));
  return number;
}

ProcEntry threads_of(int pid) {
  Slot* first = find_slot(pid);
  const timespec moment = {0, 1'000'000};
  for (int ms = 0; first != nullptr && first->listed == 0 && ms < patience_ms; ++ms)
    raw::syscall(SYS_nanosleep, &moment, 0);
  std::string names;
  for_each_slot([&](Slot& slot) {
    if (slot.pid == pid && slot.phase != Phase::ended) names += fmt::format("{}\n", slot.tid.load());
  });
  return {Kind::directory, S_IFDIR | 0555, names};
}

std::string status_of(const Slot& slot, std::string text) {
  file::replace_line(text, "Pid:", fmt::format("\t{}", slot.tid.load()));
  file::replace_line(text, "TracerPid:", fmt::format("\t{}", slot.tracer.load()));
  if (slot.phase == Phase::stopped || slot.phase == Phase::listening)
    file::replace_line(text, "State:", "\tt (tracing stop)");
  return text;
}

// pid (comm) state …
std::string stat_of(const Slot& slot, const std::string& text) {
  const size_t name = text.find('('), behind = text.rfind(") ");
  if (name == std::string::npos || behind == std::string::npos || text.size() < behind + 3) return text;
  std::string out = fmt::format("{} {}", slot.tid.load(), text.substr(name));
  if (slot.phase == Phase::stopped || slot.phase == Phase::listening) out[out.rfind(") ") + 2] = 't';
  return out;
}

std::optional<ProcEntry> file_of(const Slot& slot, std::string_view name) {
  const bool is_first = slot.tid == slot.pid;
  const std::string host = fmt::format("/proc/{}/{}", slot.pid.load(), name);
  if (name == "exe") {
    const char* executable = body_of(*find_slot(slot.pid)).executable.data();
    if (*executable != '\0') return ProcEntry{Kind::link, S_IFLNK | 0777, executable};
  }
  if (name == "status" || name == "stat") {
    std::string text = file::host_text(host);
    if (text.empty()) return std::nullopt;
    text = name == "status" ? status_of(slot, std::move(text)) : stat_of(slot, text);
    return ProcEntry{Kind::text, S_IFREG | 0444, std::move(text)};
  }
  if (is_first) return std::nullopt;
  if (name.empty()) return ProcEntry{Kind::directory, S_IFDIR | 0555, "comm\nmaps\nmem\nstat\nstatus\n"};
  return ProcEntry{Kind::link, S_IFLNK | 0777, host};
}

}  // namespace

std::optional<ProcEntry> proc_view(std::string_view path) {
  if (!is_used() || !path.starts_with("/proc/")) return std::nullopt;
  path.remove_prefix(6);
  const int id = take_number(path);
  Slot* slot = id == 0 ? nullptr : find_slot(id);
  if (slot == nullptr || slot->pid <= 0 || find_slot(slot->pid) == nullptr) return std::nullopt;
  if (path != "task" && !path.starts_with("task/")) return file_of(*slot, path);
  path.remove_prefix(std::min<size_t>(5, path.size()));
  if (path.empty()) return threads_of(slot->pid);
  const int tid = take_number(path);
  const Slot* thread = tid == 0 ? nullptr : find_slot(tid);
  if (thread == nullptr || thread->pid != slot->pid) return std::nullopt;
  return file_of(*thread, path);
}

int tracer_of(const task::Thread& thread) { return is_traced(thread) ? tracee_of(thread)->slot->tracer.load() : 0; }

}  // namespace osp::ptrace
