// What Linux would show of a process in /proc/PID/status and /proc/PID/stat (proc(5)).
#include <fmt/format.h>

#include "libosp/device/terminals.h"
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
  return fmt::format(
      "Name:\t\nUmask:\t{:04o}\nState:\t{} ({})\nTgid:\t\nNgid:\t0\nPid:\t\nPPid:\t{}\nTracerPid:\t0\n"
      "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\nFDSize:\t64\nGroups:\t\nVmPeak:\t{:8} kB\nVmSize:\t{:8} kB\n"
      "VmRSS:\t{:8} kB\nThreads:\t\nSigQ:\t0/0\nSigPnd:\t\nShdPnd:\t\nSigBlk:\t\nSigIgn:\t\nSigCgt:\t\n"
      "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n",
      member.process->umask, state, name_of(state), member.parent, who.uid, who.euid, who.saved_uid, who.euid, who.gid,
      who.egid, who.saved_gid, who.egid, size_kb, size_kb, size_kb);
}

// From the third field on, as the pid and name are the thread's.
std::string stat_of(const Member& member) {
  constexpr uint64_t tick_ns = 10'000'000;
  const auto terminal = device::terminal_of_session(member.session);
  const uint64_t ticks = member.process->processor_ns / tick_ns;
  std::string text =
      fmt::format("{} () {} {} {} {} {} {} 0 0 0 0 0 {} 0 0 0 20 0 {} 0 0 {} 0 18446744073709551615", member.pid,
                  state_of(member), member.parent, member.group, member.session,
                  terminal != nullptr ? terminal->device : 0, terminal != nullptr ? terminal->foreground : -1, ticks,
                  member.process->threads.size(), mapped_bytes(*member.process));
  for (int field = 26; field <= 52; ++field) text += field == 38 ? " 17" : " 0";
  return text + "\n";
}

}  // namespace

std::string Processes::proc_text(const task::Process& process, std::string_view file) {
  const Member& shown = member(process);
  return file == "stat" ? stat_of(shown) : status_of(shown);
}

}  // namespace osp::native
