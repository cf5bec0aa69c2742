#include "libosp/linux/table.h"

#include <array>
#include <bitset>

#include "base/log.h"
#include "libosp/file/files.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/numbers.h"
#include "libosp/linux/trace.h"
#include "libosp/linux/trace_calls.h"
#include "libosp/native/calls.h"
#include "libosp/seccomp/judge.h"
#include "libosp/signal/deliver.h"

namespace osp::linux {
namespace {

constexpr size_t table_size = 512;

constexpr std::array<Entry, table_size> make_table() {
  std::array<Entry, table_size> table = {};
#define OSP_CALL(call_name, call_handler, call_format) table[SYS_##call_name] = {#call_name, call_handler, call_format};
#include "libosp/linux/calls.def"
#undef OSP_CALL
  return table;
}

constexpr std::array<Entry, table_size> make_native_table() {
  std::array<Entry, table_size> table = make_table();
#define OSP_NATIVE(call_name, call_handler) table[SYS_##call_name].handler = native::call_handler;
#include "libosp/native/calls.def"
#undef OSP_NATIVE
  return table;
}

constexpr std::array<Entry, table_size> hosted_table = make_table();
constexpr std::array<Entry, table_size> native_table = make_native_table();
const std::array<Entry, table_size>* table = &hosted_table;
constexpr Entry not_served;

// By these the program learns nothing of what others did but the files that they name.
constexpr std::array looking = {
    SYS_stat,  SYS_lstat,  SYS_newfstatat, SYS_statx,    SYS_access,     SYS_faccessat, SYS_faccessat2,
    SYS_open,  SYS_openat, SYS_openat2,    SYS_readlink, SYS_readlinkat, SYS_getxattr,  SYS_lgetxattr,
    SYS_close, SYS_fstat,  SYS_getdents64, SYS_lseek,    SYS_getcwd,     SYS_statfs,    SYS_fstatfs,
    SYS_brk,   SYS_mmap,   SYS_munmap,     SYS_mprotect, SYS_getpid,     SYS_gettid,    SYS_clock_gettime};

constexpr auto looking_marks = [] {
  std::array<bool, table_size> marks = {};
  for (const long nr : looking) marks[static_cast<size_t>(nr)] = true;
  return marks;
}();

long refuse(long nr) {
  static std::bitset<table_size> told;
  const auto index = static_cast<size_t>(nr);
  if (index < table_size && !told[index]) {
    told[index] = true;
    log::info("linux", "system call {} is not served: ENOSYS (docs/caveats.md)", nr);
  }
  return -ENOSYS;
}

// The core's own fds are not open for the program.
bool is_core_fd(uint64_t first) {
  return static_cast<int>(first) >= file::lowest_core_fd() && file::is_core_fd(static_cast<int>(first));
}

bool begins_with_fd(const Entry& e) { return *e.format == 'f' || *e.format == 'D'; }

}  // namespace

const Entry& entry(long nr) {
  return nr >= 0 && static_cast<size_t>(nr) < table_size ? (*table)[static_cast<size_t>(nr)] : not_served;
}

void use_native_table() { table = &native_table; }

long call(task::Thread& thread) {
  const trap::UserRegs& r = thread.regs;
  const auto nr = static_cast<long>(r.orig_rax);
  if (thread.seccomp.mode != 0)
    if (const auto verdict = seccomp::judge(thread)) return *verdict;
  const Entry& e = entry(nr);
  if (e.handler == nullptr) return refuse(nr);
  if (begins_with_fd(e)) {
    if (is_core_fd(r.rdi)) return -EBADF;
    signal::show_mask_to_terminals(thread);
  }
  thread.meets_files = begins_with_fd(e);
  Call c = {thread, thread.process, nr, r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  if (thread.process.trace) trace_begin(c, e);
  const long result = e.handler(c);
  if (!looking_marks[static_cast<size_t>(nr)]) ++trap::worker().fast.told;
  if (thread.process.trace) trace_end(c, e, result);
  return result;
}

}  // namespace osp::linux
