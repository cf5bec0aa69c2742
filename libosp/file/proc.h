#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libosp/file/files.h"

// The files of /proc/self (and /proc/PID of the own process) that must show the program, not the core:
// exe, maps, cmdline, environ, auxv, comm, stat, status, cwd, fd, task (proc(5)). All others are the host's.
namespace osp::file {

// Whether an absolute path names one of these. Cheap for paths outside /proc.
bool is_core_proc(std::string_view path);

// The same for what is no link.
bool is_core_proc_file(std::string_view path);
// What such a link (a path without its leading "/") leads to in the name space.
std::optional<std::string> proc_link_target(std::string_view path);

// What such a path is.
struct ProcEntry {
  enum class Kind { text, directory, link } kind = Kind::text;
  uint32_t mode = 0;     // as st_mode
  std::string contents;  // the text, or the link's target
  // A directory's names at the time of the call: its own fd is among those of fd/. Null: they are the contents' lines.
  std::vector<std::string> (*list)(const task::Process&) = nullptr;
  int names_thread = 0;  // a thread whose name it is: what is written to it becomes that
};
// ENOENT: no such thread or fd.
Result<ProcEntry> find_proc(std::string_view path);

// The text of one of `auxv cmdline comm environ maps stat status` of a process whose memory is the current one.
std::string proc_text(std::string_view name, const task::Process& process, const task::Thread& thread);

// For such texts: what the host's file holds, if it can be read; and what stands behind a key at a line's beginning.
std::string host_text(const std::string& path);
void replace_line(std::string& text, std::string_view key, const std::string& value);

// An entry as an open file; not for links. `path` is for /proc/self/fd.
std::shared_ptr<Description> open_proc(ProcEntry entry, const std::string& path);
pip::Attributes attributes_of(const ProcEntry& entry);

}  // namespace osp::file
