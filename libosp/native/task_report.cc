#include "libosp/native/task_report.h"

#include <fmt/format.h>

#include "libosp/host/host.h"
#include "libosp/host/native.h"

namespace osp::native {
namespace {

constexpr size_t most_text = 64 * 1024;

const char* state_of(const task::Thread& thread) {
  switch (thread.state) {
    case task::RunState::running:
      return "runs";
    case task::RunState::ready:
      return "ready";
    default:
      return "waits";
  }
}

std::string describe_process(const Member& member) {
  std::string text = fmt::format("process {} of {}, group {}", member.pid, member.parent, member.group);
  if (member.is_zombie()) return text + ": has ended\n";
  text += member.stopped ? ": stopped\n" : ":\n";
  for (const auto& thread : member.process->threads)
    text += fmt::format("  {} {} {}\n", thread->tid, thread->name.data(), state_of(*thread));
  return text;
}

}  // namespace

std::string task_table_text() {
  std::string text(most_text, '\0');
  const long size = raw::syscall(task_table, text.data(), text.size());
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return text;
}

void write_tasks(Processes& processes) {
  std::string text = task_table_text();
  for (const Member* member : processes.all()) text += describe_process(*member);
  host::write_console(text.data(), text.size());
}

}  // namespace osp::native
