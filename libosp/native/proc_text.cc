#include "libosp/native/proc_text.h"

#include <fmt/format.h>

#include "libosp/device/terminals.h"
#include "libosp/file/names.h"
#include "libosp/native/processes.h"

namespace osp::native {
namespace {

char state_of(const Member& member) {
  if (member.is_zombie()) return 'Z';
  if (member.stopped) return 'T';
  for (const auto& thread : member.process->threads)
    if (thread->state != task::RunState::parked) return 'R';
  return 'S';
}

uint64_t mapped_bytes(const task::Process& process) {
  uint64_t size = 0;
  for (const auto& [start, area] : process.memory.areas()) size += area.end - area.start;
  return size;
}

std::string_view name_of(char state) {
  return state == 'Z' ? "zombie" : state == 'T' ? "stopped" : state == 'R' ? "running" : "sleeping";
}

// Keys without a value are filled in by file/proc.cc, which knows the thread.
std::string status_of(const Member& member) {
  const char state = state_of(member);
  const task::Credentials& who = member.process->credentials;
  const uint64_t size_kb = mapped_bytes(*member.process) / 1024;
  const uint64_t resident_kb = memory::Space::use().space / 1024;
  return fmt::format(
      "Name:\t\nUmask:\t{:04o}\nState:\t{} ({})\nTgid:\t\nNgid:\t0\nPid:\t\nPPid:\t{}\nTracerPid:\t0\n"
      "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t64\nGroups:\t\nVmPeak:\t{:8} kB\nVmSize:\t{:8} kB\n"
      "VmRSS:\t{:8} kB\nThreads:\t\nSigQ:\t0/0\nSigPnd:\t\nShdPnd:\t\nSigBlk:\t\nSigIgn:\t\nSigCgt:\t\n"
      "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n",
      member.process->umask, state, name_of(state), member.parent, who.uid, who.euid, who.saved_uid, who.euid, who.gid,
      who.egid, who.saved_gid, who.egid, size_kb, size_kb, resident_kb);
}

// From the third field on, as the pid and name are the thread's.
std::string stat_of(const Member& member) {
  constexpr uint64_t tick_ns = 10'000'000;
  const auto terminal = device::terminal_of_session(member.session);
  const uint64_t ticks = member.process->processor_ns / tick_ns;
  std::string text =
      fmt::format("{} () {} {} {} {} {} {} 0 0 0 0 0 {} 0 0 0 {} {} {} 0 {} {} {} 18446744073709551615", member.pid,
                  state_of(member), member.parent, member.group, member.session,
                  terminal != nullptr ? terminal->device : 0, terminal != nullptr ? terminal->foreground : -1, ticks,
                  20 + member.nice, member.nice, member.process->threads.size(), member.started_ns / tick_ns,
                  mapped_bytes(*member.process), memory::Space::use().space / memory::page_size);
  for (int field = 26; field <= 52; ++field) text += field == 38 ? " 17" : " 0";
  return text + "\n";
}

}  // namespace

namespace proc_text {
namespace {

struct LimitName {
  int resource;
  std::string_view name, unit;
};
constexpr std::array limit_names = {
    LimitName{RLIMIT_CPU, "Max cpu time", "seconds"},
    LimitName{RLIMIT_FSIZE, "Max file size", "bytes"},
    LimitName{RLIMIT_DATA, "Max data size", "bytes"},
    LimitName{RLIMIT_STACK, "Max stack size", "bytes"},
    LimitName{RLIMIT_CORE, "Max core file size", "bytes"},
    LimitName{RLIMIT_RSS, "Max resident set", "bytes"},
    LimitName{RLIMIT_NPROC, "Max processes", "processes"},
    LimitName{RLIMIT_NOFILE, "Max open files", "files"},
    LimitName{RLIMIT_MEMLOCK, "Max locked memory", "bytes"},
    LimitName{RLIMIT_AS, "Max address space", "bytes"},
    LimitName{RLIMIT_LOCKS, "Max file locks", "locks"},
    LimitName{RLIMIT_SIGPENDING, "Max pending signals", "signals"},
    LimitName{RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes"},
    LimitName{RLIMIT_NICE, "Max nice priority", ""},
    LimitName{RLIMIT_RTPRIO, "Max realtime priority", ""},
    LimitName{RLIMIT_RTTIME, "Max realtime timeout", "us"},
};

std::string limit_value(rlim_t value) { return value == RLIM_INFINITY ? "unlimited" : fmt::format("{}", value); }

std::string_view type_of(std::string_view server) {
  return server == "#proc" ? "proc" : server == "#m" ? "tmpfs" : server == "#d" ? "devtmpfs" : "osprey";
}

// What is attached where, the way to "/" first, as act(number, source, place, type, options).
template <class Act>
void each_mount(const task::Process& process, Act act) {
  const auto table = process.names->table();
  int number = 0;
  for (auto mount = table->mounts().rbegin(); mount != table->mounts().rend(); ++mount) {
    if (mount->scaffold) continue;
    for (const ns::Member& member : mount->members) {
      std::string source = member.source();
      for (size_t at = 0; (at = source.find(' ', at)) != std::string::npos;) source.replace(at, 1, "\\040");
      act(++number, source, mount->at, type_of(member.server->name()), member.read_only ? "ro" : "rw");
    }
  }
}

}  // namespace

std::string limits(const task::Process& process) {
  std::string text = fmt::format("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
  for (const LimitName& limit : limit_names) {
    const rlimit& value = process.limits[static_cast<size_t>(limit.resource)];
    text += fmt::format("{:<25} {:<20} {:<20} {:<10}\n", limit.name, limit_value(value.rlim_cur),
                        limit_value(value.rlim_max), limit.unit);
  }
  return text;
}

std::string mounts(const task::Process& process) {
  std::string text;
  each_mount(process,
             [&](int, const std::string& source, const std::string& at, std::string_view type,
                 std::string_view options) { text += fmt::format("{} {} {} {} 0 0\n", source, at, type, options); });
  return text;
}

std::string mountinfo(const task::Process& process) {
  std::string text;
  each_mount(process, [&](int number, const std::string& source, const std::string& at, std::string_view type,
                          std::string_view options) {
    text += fmt::format("{} {} 0:{} / {} {} - {} {} {}\n", number, number == 1 ? 0 : 1, number, at, options, type,
                        source, options);
  });
  return text;
}

std::string statm(const task::Process& process) {
  const uint64_t resident = memory::Space::use().space / memory::page_size;
  return fmt::format("{} {} 0 0 0 {} 0\n", mapped_bytes(process) / memory::page_size, resident, resident);
}

}  // namespace proc_text

std::string Processes::proc_text(const task::Process& process, std::string_view file) {
  const Member& shown = member(process);
  return file == "stat" ? stat_of(shown) : status_of(shown);
}

}  // namespace osp::native
