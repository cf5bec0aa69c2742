#include "tools/start_core.h"

#include <sys/rseq.h>

#include <cerrno>

#include "base/raw_syscall.h"
#include "base/result.h"

namespace osp::tools {
namespace {

// Takes back what our libc told the kernel by rseq(2): the kernel would go on writing to that memory, where the
// program's may lie by then, and kill for what it finds there.
void unregister_rseq() {
  constexpr int unregister = 1;
  constexpr long area_size = 32;  // what glibc registers
  char* const thread = static_cast<char*>(__builtin_thread_pointer());
  if (__rseq_size != 0) raw::syscall(SYS_rseq, thread + __rseq_offset, area_size, unregister, RSEQ_SIG);
}

}  // namespace

std::string enter_core(const host::BootBlock& block) {
  if (*block.core_path == '\0') return "cannot find the core: /proc/self/exe cannot be read; is /proc mounted?";
  if (host::core_is_here()) return "this process is in Osprey already";
  unregister_rseq();
  const int error = static_cast<int>(-host::start_core(block));
  std::string text = std::string("cannot start the core '") + block.core_path + "': " + describe(Error(error));
  if (error == ENOENT) text += "; it belongs in lib beside the bin that holds this command";
  if (error == ENOEXEC) text += "; is it of this build?";
  return text;
}

}  // namespace osp::tools
