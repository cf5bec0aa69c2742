#include "libosp/file/proc.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/raw_syscall.h"
#include "libosp/file/names.h"
#include "libosp/file/proc_maps.h"
#include "libosp/file/proc_mounts.h"
#include "libosp/file/served_file.h"
#include "libosp/ptrace/proc_view.h"
#include "libosp/seccomp/filter.h"
#include "libosp/task/process.h"
#include "libosp/task/thread_name.h"
#include "pip/text_part.h"

namespace osp::file {
namespace {

using task::Process;
using task::Thread;
using Kind = ProcEntry::Kind;

constexpr std::array text_names = {"maps", "cmdline", "environ", "auxv", "comm", "stat", "status"};

// Of the host's where the name space is the host's.
bool is_mount_list(std::string_view name) {
  return (name == "mountinfo" || name == "mounts") && !task::process().names->only_host();
}

// "/proc/self/fd/3" -> "fd/3"; nothing for other processes. task/TID is taken off into `tid`.
std::optional<std::string_view> own_part(std::string_view path, int& tid) {
  if (!path.starts_with("/proc/")) return std::nullopt;
  path.remove_prefix(6);
  const size_t slash = path.find('/');
  const std::string_view who = path.substr(0, slash);
  const Process& p = task::process();
  tid = 0;
  if (who == "thread-self") {
    tid = p.scheduler.current() != nullptr ? p.scheduler.current()->tid : p.pid;
  } else if (who != "self" && who != fmt::format("{}", p.pid)) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) return "";
  std::string_view rest = path.substr(slash + 1);
  if (rest.starts_with("task/") && rest.size() > 5) {
    const size_t end = std::min(rest.find('/', 5), rest.size());
    tid = 0;
    for (const char digit : rest.substr(5, end - 5)) tid = digit >= '0' && digit <= '9' ? tid * 10 + digit - '0' : -1;
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (rest.empty()) return "task-directory";
  }
  return rest;
}

std::string program_memory(uintptr_t start, uintptr_t end) {
  std::string text(end - start, '\0');
  if (osp_user_copy(text.data(), reinterpret_cast<const void*>(start), text.size()) != 0) text.clear();
  return text;
}

// The host knows the state of its own thread, which may be another's worker.
char state_of(const Thread& thread) { return thread.state == task::RunState::parked ? 'S' : 'R'; }

std::string status_text(const Process& p, const Thread& thread) {
  std::string text = p.environment != nullptr ? p.environment->proc_text(p, "status") : host_text("/proc/self/status");
  signal::Mask ignored = 0, caught = 0;
  for (int signo = 1; signo <= signal::last_signal; ++signo) {
    const uint64_t handler = p.signals.actions[static_cast<size_t>(signo)].handler;
    if (handler == 1) ignored |= signal::bit(signo);
    if (handler > 1) caught |= signal::bit(signo);
  }
  replace_line(text, "Name:", fmt::format("\t{}", thread.name.data()));
  if (p.environment == nullptr)
    replace_line(text, "State:", state_of(thread) == 'S' ? "\tS (sleeping)" : "\tR (running)");
  replace_line(text, "Tgid:", fmt::format("\t{}", p.pid));
  replace_line(text, "Pid:", fmt::format("\t{}", thread.tid));
  replace_line(text, "TracerPid:", fmt::format("\t{}", ptrace::tracer_of(thread)));
  replace_line(text, "Threads:", fmt::format("\t{}", p.threads.size()));
  replace_line(text, "SigPnd:", fmt::format("\t{:016x}", thread.signals.pending.set()));
  replace_line(text, "ShdPnd:", fmt::format("\t{:016x}", p.signals.pending.set()));
  replace_line(text, "SigBlk:", fmt::format("\t{:016x}", thread.signals.mask));
  replace_line(text, "SigIgn:", fmt::format("\t{:016x}", ignored));
  replace_line(text, "SigCgt:", fmt::format("\t{:016x}", caught));
  if (const seccomp::State& own = thread.seccomp; own.mode != 0) {  // beside what the host was told outside
    replace_line(text, "Seccomp:", fmt::format("\t{}", own.mode));
    replace_line(text, "Seccomp_filters:", fmt::format("\t{}", own.filter == nullptr ? 0 : own.filter->depth()));
  }
  return text;
}

// pid (comm) state ppid … num_threads is the 20th field.
std::string stat_text(const Process& p, const Thread& thread) {
  const std::string text =
      p.environment != nullptr ? p.environment->proc_text(p, "stat") : host_text("/proc/self/stat");
  const size_t behind = text.rfind(')');
  if (behind == std::string::npos) return text;
  std::string rest = text.substr(behind + 1);
  if (p.environment == nullptr && rest.size() > 1) rest[1] = state_of(thread);
  size_t at = 0;
  for (int field = 3; field < 20 && at != std::string::npos; ++field) at = rest.find(' ', at + 1);
  if (at != std::string::npos)
    rest.replace(at + 1, rest.find(' ', at + 1) - at - 1, fmt::format("{}", p.threads.size()));
  return fmt::format("{} ({}){}", thread.tid, thread.name.data(), rest);
}

std::string text_of(std::string_view name, const Process& p, const Thread& thread) {
  if (name == "maps") return maps_text(p);
  if (name == "cmdline") return program_memory(p.program.arguments_start, p.program.arguments_end);
  if (name == "environ") return program_memory(p.program.arguments_end, p.program.environment_end);
  if (name == "mountinfo" || name == "mounts") return mounts_text(*p.names->table(), name == "mountinfo");
  if (name == "comm") return std::string(thread.name.data()) + "\n";
  if (name == "stat") return stat_text(p, thread);
  if (name == "status") return status_text(p, thread);
  return std::string(reinterpret_cast<const char*>(p.program.auxv.data()), p.program.auxv.size() * sizeof(uint64_t));
}

Result<ProcEntry> fd_entry(std::string_view number) {
  int fd = 0;
  for (const char digit : number) {
    if (digit < '0' || digit > '9') return fail(ENOENT);
    fd = fd * 10 + (digit - '0');
  }
  const Files& files = *task::process().files;
  if (const Description* served = files.find(fd); served != nullptr && !served->path().empty())
    return ProcEntry{Kind::link, S_IFLNK | 0700, served->path()};
  if (const std::string* directory = files.directory_path(fd)) return ProcEntry{Kind::link, S_IFLNK | 0700, *directory};
  return fail(ENOENT);
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t end = 0; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1))
    lines.emplace_back(text.substr(0, end));
  return lines;
}

// Text, mostly read-only, or a list of names.
class ProcFile final : public pip::File {
 public:
  explicit ProcFile(ProcEntry entry) : entry_(std::move(entry)) {}
  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    if (entry_.kind == Kind::directory) return fail(EISDIR);
    return pip::read_text(entry_.contents, offset, into);
  }
  Result<size_t> write(uint64_t, std::span<const std::byte> from) override {
    Thread* const thread = entry_.names_thread == 0 ? nullptr : task::process().find_thread(entry_.names_thread);
    if (thread == nullptr) return fail(EINVAL);
    task::name_thread(*thread, {reinterpret_cast<const char*>(from.data()), from.size()});
    return from.size();
  }
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t first, size_t count) override {
    if (entry_.kind != Kind::directory) return fail(ENOTDIR);
    if (first == 0) names_ = entry_.list != nullptr ? entry_.list(task::process()) : lines_of(entry_.contents);
    std::vector<pip::DirectoryEntry> entries;
    for (size_t i = first; i < names_.size() && entries.size() < count; ++i) {
      pip::DirectoryEntry entry;
      entry.name = names_[i];
      entry.attributes.id = i + 3;
      entry.attributes.mode = entry_.mode == (S_IFDIR | 0500) ? S_IFLNK | 0700U : S_IFDIR | 0555U;
      entries.push_back(std::move(entry));
    }
    return entries;
  }
  Result<pip::Attributes> stat() override { return attributes_of(entry_); }

 private:
  ProcEntry entry_;
  std::vector<std::string> names_;  // since the directory was last read from its start
};

std::vector<std::string> fd_names(const Process&) {
  std::vector<std::string> names;
  for (const int fd : open_fds())
    if (!is_core_fd(fd)) names.push_back(fmt::format("{}", fd));
  return names;
}

std::vector<std::string> thread_names(const Process& p) {
  std::vector<std::string> names;
  for (const auto& thread : p.threads) names.push_back(fmt::format("{}", thread->tid));
  return names;
}

std::vector<std::string> text_file_names(const Process&) { return {text_names.begin(), text_names.end()}; }

ProcEntry directory(uint32_t mode, std::vector<std::string> (*list)(const Process&)) {
  return {Kind::directory, S_IFDIR | mode, {}, list};
}

uint32_t mode_of_text(std::string_view name) {
  if (name == "comm") return S_IFREG | 0644;
  return S_IFREG | (name == "environ" || name == "auxv" ? 0400 : 0444);
}

}  // namespace

std::string host_text(const std::string& path) {
  const auto fd = static_cast<int>(raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd < 0) return {};
  std::string text;
  char part[4096];
  for (long size = 0; (size = raw::read(fd, part, sizeof part)) > 0;) text.append(part, static_cast<size_t>(size));
  raw::close(fd);
  return text;
}

void replace_line(std::string& text, std::string_view key, const std::string& value) {
  size_t at = text.starts_with(key) ? 0 : text.find("\n" + std::string(key));
  if (at == std::string::npos) return;
  at += text.starts_with(key) && at == 0 ? key.size() : key.size() + 1;
  text.replace(at, text.find('\n', at) - at, value);
}

std::string proc_text(std::string_view name, const Process& process, const Thread& thread) {
  return text_of(name, process, thread);
}

bool is_core_proc(std::string_view path) {
  int tid = 0;
  const auto rest = own_part(path, tid);
  if (!rest) return ptrace::proc_view(path).has_value();
  if (*rest == "exe" || *rest == "cwd" || *rest == "fd" || *rest == "fd/" || *rest == "task" || *rest == "task/" ||
      *rest == "task-directory")
    return true;
  if (rest->starts_with("fd/")) return fd_entry(rest->substr(3)).has_value();
  return is_mount_list(*rest) || std::find(text_names.begin(), text_names.end(), *rest) != text_names.end();
}

Result<ProcEntry> find_proc(std::string_view path) {
  const Process& p = task::process();
  int tid = 0;
  const auto rest = own_part(path, tid);
  if (!rest) {
    if (auto other = ptrace::proc_view(path)) return std::move(*other);
    std::string text = host_text(std::string(path));  // it was let go a moment ago
    if (text.empty()) return fail(ENOENT);
    return ProcEntry{Kind::text, S_IFREG | 0444, std::move(text)};
  }
  const Thread* thread = tid == 0 ? p.threads.front().get() : task::process().find_thread(tid);
  if (thread == nullptr) return fail(ENOENT);
  if (*rest == "exe") return ProcEntry{Kind::link, S_IFLNK | 0777, p.program.where()};
  if (*rest == "cwd") return ProcEntry{Kind::link, S_IFLNK | 0777, p.names->cwd()};
  if (rest->starts_with("fd/") && rest->size() > 3) return fd_entry(rest->substr(3));
  if (rest->starts_with("fd")) return directory(0500, fd_names);
  if (*rest == "task-directory") return directory(0555, text_file_names);
  if (rest->starts_with("task")) return directory(0555, thread_names);
  return ProcEntry{.mode = mode_of_text(*rest),
                   .contents = text_of(*rest, p, *thread),
                   .names_thread = *rest == "comm" ? thread->tid : 0};
}

std::optional<std::string> proc_link_target(std::string_view path) {
  if (!path.starts_with("proc/")) return std::nullopt;
  const std::string full = "/" + std::string(path);
  if (!is_core_proc(full)) return std::nullopt;
  const auto entry = find_proc(full);
  return entry && entry->kind == Kind::link ? std::optional(entry->contents) : std::nullopt;
}

bool is_core_proc_file(std::string_view path) {
  int tid = 0;
  const auto rest = own_part(path, tid);
  if (!rest) {
    const auto other = ptrace::proc_view(path);
    return other && other->kind != Kind::link;
  }
  const bool is_link = rest && (*rest == "exe" || *rest == "cwd" || (rest->starts_with("fd/") && rest->size() > 3));
  return rest && !is_link && is_core_proc(path);
}

std::shared_ptr<Description> open_proc(ProcEntry entry, const std::string& path) {
  auto contents = std::make_unique<ProcFile>(std::move(entry));
  auto file = path.ends_with("/maps") ? std::make_shared<MapsFile>(std::move(contents))
                                      : std::make_shared<ServedFile>(std::move(contents));
  file->set_path(path);
  return file;
}

pip::Attributes attributes_of(const ProcEntry& entry) {
  pip::Attributes a;
  a.id = 2, a.mode = entry.mode, a.links = 1;
  const task::Credentials who = task::credentials_of(task::process());
  a.uid = who.uid, a.gid = who.gid;
  return a;
}

}  // namespace osp::file
