#include "libosp/door2.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/prctl.h>

#include <cstring>

#include "base/raw_syscall.h"
#include "libosp/door2_memory.h"
#include "libosp/door2_vdso.h"

namespace osp {
namespace {

std::vector<std::string> copy_strings(const char* const* strings) {
  std::vector<std::string> all;
  for (; *strings != nullptr; ++strings) all.emplace_back(*strings);
  return all;
}

// Behind the last of the strings, which the kernel laid out one after the other; `otherwise` without any.
uintptr_t end_of_strings(const char* const* strings, uintptr_t otherwise) {
  uintptr_t end = otherwise;
  for (; *strings != nullptr; ++strings) end = reinterpret_cast<uintptr_t>(*strings) + std::strlen(*strings) + 1;
  return end;
}

Result<std::string> own_executable() {
  char target[4096];
  OSP_ASSIGN(const size_t size, from_raw<size_t>(raw::syscall(SYS_readlink, "/proc/self/exe", target, sizeof target)));
  return std::string(target, size);
}

// The entries of /proc/self/task, less "." and "..".
Result<void> expect_one_thread() {
  OSP_ASSIGN(const int fd,
             from_raw<int>(raw::syscall(SYS_open, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  alignas(8) char entries[4096];
  const long size = raw::syscall(SYS_getdents64, fd, entries, sizeof entries);
  raw::close(fd);
  int count = -2;
  for (long at = 0; at < size; ++count) {
    uint16_t length = 0;
    std::memcpy(&length, entries + at + 16, sizeof length);
    at += length;
  }
  if (count > 1) return fail(EBUSY);
  return {};
}

Result<void> describe_program(task::Program& program, const host::BootBlock& boot) {
  OSP_ASSIGN(program.path, own_executable());
  program.arguments = copy_strings(boot.argv);
  program.environment = copy_strings(boot.envp);
  const auto first = reinterpret_cast<uintptr_t>(boot.argv[0]);
  program.arguments_start = first;
  program.arguments_end = end_of_strings(boot.argv, first);
  program.environment_end = end_of_strings(boot.envp, program.arguments_end);
  return {};
}

// The program keeps its aux vector on its stack, and may read it again.
void put_vdso_into_auxv(task::Program& program, const host::BootBlock& boot) {
  auto* entry = const_cast<unsigned long*>(boot.auxv);
  for (; entry[0] != AT_NULL; entry += 2)
    if (entry[0] == AT_SYSINFO_EHDR && program.vdso != 0) entry[1] = program.vdso;
  program.auxv.assign(boot.auxv, static_cast<const unsigned long*>(entry + 2));
}

void adopt_thread(task::Thread& thread, const host::ProgramStart& start) {
  trap::UserRegs& r = thread.regs;
  r.rbx = start.rbx, r.rbp = start.rbp, r.r12 = start.r12, r.r13 = start.r13, r.r14 = start.r14, r.r15 = start.r15;
  r.rsp = start.rsp, r.rip = start.rip, r.fs_base = start.fs_base;
  r.rax = 0;  // what osp_enter_core() returns
  thread.clear_child_tid = start.clear_child_tid;
  thread.robust_list = start.robust_list, thread.robust_list_size = start.robust_list_size;
  thread.signals.alternate = {reinterpret_cast<void*>(start.alternate_stack.start), start.alternate_stack.flags,
                              start.alternate_stack.size};
  raw::syscall(SYS_prctl, PR_GET_NAME, thread.name.data());
}

}  // namespace

Result<void> adopt_program(task::Thread& thread, const host::BootBlock& boot) {
  task::Process& p = thread.process;
  OSP_TRY(expect_one_thread());
  OSP_TRY(describe_program(p.program, boot));
  OSP_ASSIGN(const host::KernelPages pages, door2::adopt_memory(p.memory, boot.start->rsp));
  OSP_TRY(door2::replace_vdso(p, pages));
  put_vdso_into_auxv(p.program, boot);
  adopt_thread(thread, *boot.start);
  return {};
}

}  // namespace osp
