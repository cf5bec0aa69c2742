// Door 2: runs inside a program that the system's loader has started, before any other code of it, and
// starts the core there.
#include <cerrno>
#include <cstddef>

#include "base/raw_syscall.h"
#include "libosp/host/boot.h"
#include "preload/host_state.h"
#include "preload/self_path.h"

extern "C" {
long osp_enter_core(osp::host::ProgramStart* start, const osp::host::BootBlock* block);

[[gnu::visibility("hidden")]] extern const char __ehdr_start[];
// ld.so's (glibc): where the kernel put argc, argv, the environment and the aux vector.
[[gnu::weak]] extern void* __libc_stack_end;

// Whether the functions of interpose.S may enter the core.
[[gnu::visibility("hidden")]] extern char osp_interpose;
char osp_interpose = 0;

// What enter.S jumps to.
[[gnu::visibility("hidden")]] long osp_start_core(const osp::host::BootBlock* block) {
  return osp::host::start_core(*block);
}
}

namespace osp::preload {
namespace {

using host::BootBlock;
using host::NamespaceOption;
using host::ProgramStart;

static_assert(offsetof(ProgramStart, r15) == 40 && offsetof(ProgramStart, rsp) == 48 &&
              offsetof(ProgramStart, rip) == 56);

constexpr int status_failed = 125;
constexpr size_t longest_path = 4096;
constexpr char core_name[] = "osp-core";

// The core reads these after the stack of the constructor's callees is gone.
BootBlock block;
ProgramStart start;
NamespaceOption name_space;
char core_path[longest_path + sizeof core_name];

size_t length_of(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

void say(const char* text) { raw::write(2, text, length_of(text)); }

[[noreturn]] void refuse(const char* subject, const char* why) {
  say("libosp-preload.so: ");
  say(subject);
  say(why);
  say("\n");
  for (;;) raw::syscall(SYS_exit_group, status_failed);
}

const char* reason(long error) {
  switch (-error) {
    case ENOENT:
      return ": no such file; it is installed beside libosp-preload.so";
    case EACCES:
      return ": this user may not read it";
    case ENOEXEC:
      return ": not an osp-core for this machine; it is damaged or of another build";
    case EEXIST:
      return ": another program occupies the core's part of the address space (0x680000000000)";
    case ENOMEM:
      return ": not enough memory to map it (see ulimit -v)";
    default:
      return ": it cannot be mapped";
  }
}

// The value of NAME in the environment; null when it is not set or empty.
const char* variable(const char* const* envp, const char* name) {
  for (; *envp != nullptr; ++envp) {
    size_t i = 0;
    while (name[i] != '\0' && (*envp)[i] == name[i]) ++i;
    if (name[i] == '\0' && (*envp)[i] == '=') return (*envp)[i + 1] != '\0' ? *envp + i + 1 : nullptr;
  }
  return nullptr;
}

void find_core() {
  if (!path_of_mapping(__ehdr_start, core_path, longest_path))
    refuse("its own path cannot be found", ": is /proc mounted?");
  size_t end = length_of(core_path);
  while (core_path[end - 1] != '/') --end;
  for (size_t i = 0; i < sizeof core_name; ++i) core_path[end + i] = core_name[i];
}

// argc, argv, NULL, environment, NULL, aux vector (System V ABI, x86-64 supplement, 3.4.1).
void take_stack(const uint64_t* stack) {
  const uint64_t count = *stack;
  block.argv = reinterpret_cast<const char* const*>(stack + 1);
  block.envp = block.argv + count + 1;
  const char* const* end = block.envp;
  while (*end != nullptr) ++end;
  block.auxv = reinterpret_cast<const unsigned long*>(end + 1);
}

void take_options() {
  if (const char* file = variable(block.envp, "OSP_NS"); file != nullptr) {
    name_space = {NamespaceOption::Kind::file, file};
    block.options = &name_space;
    block.option_count = 1;
  }
  block.trace = variable(block.envp, "OSP_TRACE");
}

void start_core_here() {
  if (&__libc_stack_end == nullptr) refuse("this program's libc is not glibc", "; run it with osp-run");
  take_stack(static_cast<const uint64_t*>(__libc_stack_end));
  find_core();
  take_options();
  block.door = host::Door::preload;
  block.core_path = core_path;
  block.program = block.argv[0];
  block.start = &start;
  save_host_state(start);
  if (!unregister_rseq(start))
    refuse("the kernel keeps glibc's restartable sequences", "; try GLIBC_TUNABLES=glibc.pthread.rseq=0");
  if (const long failed = osp_enter_core(&start, &block); failed < 0) refuse(core_path, reason(failed));
}

// A core is here already when a program under it was executed in place, with us in its environment still.
[[gnu::constructor]] void enter() {
  if (!host::core_is_here()) start_core_here();
  osp_interpose = 1;
}

}  // namespace
}  // namespace osp::preload
