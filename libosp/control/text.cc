#include "libosp/control/text.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/linux/table.h"

namespace osp::control {
namespace {

constexpr int most_frames = 64;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += text.empty() ? "" : " ";
    for (const char c : word) text += c < ' ' ? '?' : c;
  }
  return text;
}

std::string place(const task::Process& p, uint64_t address) {
  const memory::Area* area = p.memory.find(address);
  if (area == nullptr) return "?";
  if (area->use == memory::Use::vdso) return fmt::format("[vdso]+{:#x}", address - area->start);
  if (area->use == memory::Use::trampolines) return "[trampoline]";
  if (area->backing == nullptr) return "[anonymous]";
  return fmt::format("{}+{:#x}", area->backing->path, address - area->start + area->offset);
}

// Frames by frame pointers: right where the code keeps them, else short.
void add_frames(std::string& out, const task::Process& p, const trap::UserRegs& r) {
  out += fmt::format("  #0 {:#x} {}\n", r.rip, place(p, r.rip));
  uint64_t frame = r.rbp;
  for (int depth = 1; depth < most_frames && frame % 8 == 0 && frame >= r.rsp; ++depth) {
    uint64_t next[2] = {};  // the caller's frame, and where it goes on
    if (osp_user_copy(next, reinterpret_cast<const void*>(frame), sizeof next) != 0 || next[1] == 0) return;
    out += fmt::format("  #{} {:#x} {}\n", depth, next[1], place(p, next[1]));
    if (next[0] <= frame) return;
    frame = next[0];
  }
}

void add_thread(std::string& out, const task::Process& p, const task::Thread& t) {
  const trap::UserRegs& r = t.regs;
  out += fmt::format("thread {} ({})", t.tid, t.name.data());
  const char* call =
      t.rewound_rip != 0 && t.rewound_rip == r.rip ? linux::entry(static_cast<long>(r.rax)).name : nullptr;
  out +=
      call != nullptr ? fmt::format(" in {}({:#x}, {:#x}, {:#x})\n", call, r.rdi, r.rsi, r.rdx) : " in the program\n";
  out += fmt::format("  rip {:x} rsp {:x} rbp {:x} flags {:x} fs {:x}\n", r.rip, r.rsp, r.rbp, r.flags, r.fs_base);
  out += fmt::format("  rax {:x} rbx {:x} rcx {:x} rdx {:x} rsi {:x} rdi {:x}\n", r.rax, r.rbx, r.rcx, r.rdx, r.rsi,
                     r.rdi);
  out += fmt::format("  r8 {:x} r9 {:x} r10 {:x} r11 {:x} r12 {:x} r13 {:x} r14 {:x} r15 {:x}\n", r.r8, r.r9, r.r10,
                     r.r11, r.r12, r.r13, r.r14, r.r15);
  add_frames(out, p, r);
}

std::string link_of(int fd) {
  std::string path = file::host_path_of(fd);
  return path.empty() ? "?" : path;
}

}  // namespace

std::string status_text(const task::Process& p) {
  size_t mapped = 0, fds = 0;
  for (const auto& [start, area] : p.memory.areas()) mapped += area.end - area.start;
  for (const int fd : file::open_fds()) fds += file::is_core_fd(fd) ? 0 : 1;
  return fmt::format(
      "pid: {}\nhost-pid: {}\nname: {}\nexe: {}\narguments: {}\ndirectory: {}\nthreads: {}\nfds: {}\nmapped-bytes: {}\n"
      "version: {}\n",
      p.pid, p.host_pid, p.threads.front()->name.data(), p.program.where(), joined(p.program.arguments), p.names->cwd(),
      p.threads.size(), fds, mapped, OSP_VERSION);
}

std::string ns_text(const task::Process& p) {
  std::string text;
  for (const std::string& command : p.names->table()->commands()) text += command + "\n";
  return text;
}

std::string fd_text(const task::Process& p) {
  std::string text;
  for (const int fd : file::open_fds()) {
    if (file::is_core_fd(fd)) continue;
    const file::Description* served = p.files->find(fd);
    text += fmt::format("{}: {}\n", fd, served != nullptr ? "served " + served->path() : link_of(fd));
  }
  return text;
}

std::string maps_text(const task::Process& p) {
  p.memory.name_backings();
  std::string text;
  for (const auto& [start, area] : p.memory.areas()) {
    const auto flag = [&](int bit, char name) { return (area.protection & bit) != 0 ? name : '-'; };
    text += fmt::format("{:012x}-{:012x} {}{}{}{} {:08x} {}\n", area.start, area.end, flag(PROT_READ, 'r'),
                        flag(PROT_WRITE, 'w'), flag(PROT_EXEC, 'x'), (area.flags & MAP_SHARED) != 0 ? 's' : 'p',
                        area.offset, area.backing != nullptr ? area.backing->path : "");
  }
  return text;
}

std::string stack_text(const task::Process& p) {
  p.memory.name_backings();
  std::string text;
  for (const auto& thread : p.threads) add_thread(text, p, *thread);
  return text;
}

}  // namespace osp::control
