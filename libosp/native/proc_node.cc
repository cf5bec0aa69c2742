#include "libosp/native/proc_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/file/proc.h"
#include "libosp/native/machine.h"
#include "libosp/native/proc_text.h"

namespace osp::native::proc {

Node directory(std::vector<std::string> names, uint32_t kind) { return {S_IFDIR | 0555, {}, std::move(names), kind}; }
Node link(std::string target) { return {S_IFLNK | 0777, std::move(target)}; }

int64_t real_time_ns() {
  timespec now = {};
  raw::syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

int number_of(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

namespace {

std::string uptime() {
  const auto seconds = static_cast<double>(task::host_now_ns()) / 1e9;
  return fmt::format("{:.2f} 0.00\n", seconds);
}

std::string memory() {
  const native::MemoryUse use = memory::Space::use();
  return fmt::format(
      "MemTotal:       {:8} kB\nMemFree:        {:8} kB\nMemAvailable:   {:8} kB\n"
      "Buffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\n"
      "SwapFree:              0 kB\n",
      use.total / 1024, use.free / 1024, use.free / 1024);
}

struct Global {
  std::string_view name;
  std::string (*text)();
};

std::string line(std::string_view text) { return std::string(text) + "\n"; }

std::string boot_time() {
  const int64_t up_ns = static_cast<int64_t>(task::host_now_ns());
  return fmt::format("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nbtime {}\n",
                     (real_time_ns() - up_ns) / 1'000'000'000);
}

constexpr std::array globals = {
    Global{"cpuinfo", [] { return std::string("processor\t: 0\nvendor_id\t: Osprey\nmodel name\t: one worker\n\n"); }},
    Global{"filesystems", [] { return std::string("nodev\tproc\nnodev\ttmpfs\n"); }},
    Global{"loadavg", [] { return std::string("0.00 0.00 0.00 1/1 1\n"); }},
    Global{"meminfo", memory},
    Global{"stat", boot_time},
    Global{"sys/kernel/hostname", [] { return line(machine().hostname); }},
    Global{"sys/kernel/osrelease", [] { return line("6.1.0-osprey"); }},
    Global{"sys/kernel/ostype", [] { return line("Linux"); }},
    Global{"sys/kernel/pid_max", [] { return line("4194304"); }},
    Global{"sys/vm/overcommit_memory", [] { return line("0"); }},
    Global{"uptime", uptime},
    Global{"version", [] { return std::string("Linux version 6.1.0-osprey (Osprey " OSP_VERSION ")\n"); }},
};

constexpr std::array<std::string_view, 7> texts = {"auxv", "cmdline", "comm", "environ", "maps", "stat", "status"};
struct OwnText {
  std::string_view name;
  std::string (*text)(const task::Process&);
};
constexpr std::array own_texts = {OwnText{"limits", proc_text::limits}, OwnText{"mountinfo", proc_text::mountinfo},
                                  OwnText{"mounts", proc_text::mounts}, OwnText{"statm", proc_text::statm}};
constexpr std::array<std::string_view, 4> links = {"cwd", "exe", "root", "fd"};

std::optional<std::string> find_text(std::string_view name, const task::Process& process, const task::Thread& thread) {
  for (const OwnText& own : own_texts)
    if (own.name == name) return own.text(process);
  if (std::find(texts.begin(), texts.end(), name) == texts.end()) return std::nullopt;
  return file::proc_text(name, process, thread);
}

// Looks at another process's memory from its space.
std::optional<std::string> text_in_space(std::string_view name, const task::Process& process,
                                         const task::Thread& thread) {
  const task::Process& here = task::process();
  if (process.space == here.space) return find_text(name, process, thread);
  process.space->enter();
  auto text = find_text(name, process, thread);
  here.space->enter();
  return text;
}

// What is open without a name.
std::string name_of(file::Description& file) {
  if (!file.path().empty()) return file.path();
  const auto now = file.stat();
  if (now && S_ISFIFO(now->mode)) return fmt::format("pipe:[{}]", now->id);
  if (now && S_ISSOCK(now->mode)) return fmt::format("socket:[{}]", now->id);
  return "anon_inode:[osprey]";
}

std::optional<Node> fd_node(const task::Process& process, std::string_view name) {
  if (name.empty()) {
    std::vector<std::string> names;
    for (const int fd : process.files->numbers().taken()) names.push_back(fmt::format("{}", fd));
    return directory(std::move(names), S_IFLNK);
  }
  file::Description* file = process.files->find(number_of(name));
  if (file == nullptr) return std::nullopt;
  return link(name_of(*file));
}

std::optional<Node> thread_node(const task::Process& process, const task::Thread& thread, std::string_view rest) {
  if (rest == "cwd") return link(process.names->cwd());
  if (rest == "root") return link(process.names->root());
  if (rest == "exe") return link(process.program.where());
  if (rest == "fd") return fd_node(process, "");
  if (rest.starts_with("fd/")) return fd_node(process, rest.substr(3));
  auto text = text_in_space(rest, process, thread);
  if (!text) return std::nullopt;
  return Node{S_IFREG | 0444, std::move(*text)};
}

std::vector<std::string> names_of_thread() {
  std::vector<std::string> names(texts.begin(), texts.end());
  names.insert(names.end(), links.begin(), links.end());
  for (const OwnText& own : own_texts) names.emplace_back(own.name);
  return names;
}

}  // namespace

std::vector<std::string> globals_in(std::string_view folder) {
  std::vector<std::string> names;
  for (const Global& global : globals) {
    if (!global.name.starts_with(folder)) continue;
    const std::string_view rest = global.name.substr(folder.size());
    std::string name(rest.substr(0, rest.find('/')));
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

std::optional<Node> global_node(std::string_view path) {
  if (path == "mounts") return link("self/mounts");
  for (const Global& global : globals)
    if (global.name == path) return Node{S_IFREG | 0444, global.text()};
  auto names = globals_in(std::string(path) + "/");
  return names.empty() ? std::nullopt : std::optional(directory(std::move(names)));
}

std::optional<Node> process_node(const Member& member, std::string_view rest) {
  if (member.is_zombie()) return rest.empty() ? std::optional(directory({})) : std::nullopt;
  const task::Process& process = *member.process;
  if (rest.empty()) {
    auto names = names_of_thread();
    names.emplace_back("task");
    return directory(std::move(names));
  }
  if (!rest.starts_with("task")) return thread_node(process, *process.threads.front(), rest);
  std::vector<std::string> tids;
  for (const auto& thread : process.threads) tids.push_back(fmt::format("{}", thread->tid));
  if (rest == "task") return directory(std::move(tids), S_IFDIR);
  rest.remove_prefix(std::min(rest.size(), std::string_view("task/").size()));
  const size_t slash = std::min(rest.find('/'), rest.size());
  for (const auto& thread : process.threads) {
    if (thread->tid != number_of(rest.substr(0, slash))) continue;
    return slash == rest.size() ? directory(names_of_thread()) : thread_node(process, *thread, rest.substr(slash + 1));
  }
  return std::nullopt;
}

}  // namespace osp::native::proc
