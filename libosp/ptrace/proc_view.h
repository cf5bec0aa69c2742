#pragma once

#include <optional>
#include <string_view>

#include "libosp/file/proc.h"

namespace osp::ptrace {

// What of /proc is another process's, which is traced, and not as the host has it (proc(5)): its threads (task/), those
// of them that the host does not know, also as /proc/TID; exe; and in status and stat that it is stopped, and by whom.
// Such a thread's other files are links to its process's. Nothing: the host's. May wait 0.1 s for a process that has
// been attached to and has not told its threads yet.
std::optional<file::ProcEntry> proc_view(std::string_view path);

// Who traces the thread; 0: nobody.
int tracer_of(const task::Thread& thread);

}  // namespace osp::ptrace
