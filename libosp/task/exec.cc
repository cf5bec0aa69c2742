#include "libosp/task/exec.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/opener.h"
#include "libosp/host/host.h"
#include "libosp/host/populate.h"
#include "libosp/host/side.h"
#include "libosp/host/window.h"
#include "libosp/load/elf.h"
#include "libosp/load/plan.h"
#include "libosp/load/script.h"
#include "libosp/load/stack.h"
#include "libosp/patch/code_file.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/tracee.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/executed.h"
#include "libosp/task/fork.h"
#include "libosp/task/host_timers.h"
#include "libosp/task/robust.h"
#include "libosp/task/vector_state.h"
#include "libosp/trap/raw_handler.h"
#include "libosp/trap/vector.h"
#include "libosp/vdso/vdso.h"

namespace osp::task {
namespace {

using load::Action;
using memory::Use;

constexpr uintptr_t stack_end = 0x7efe'0000'0000, movable_base = 0x5555'5555'0000;
constexpr uint64_t default_stack = 8u << 20, most_stack = 1u << 30;

[[gnu::section(".hot_data")]] std::string refusal;

// What is to be run, opened and checked; nothing of the old program has been touched.
struct Candidate {
  file::ProgramFile file;
  load::Program program;
  file::ProgramFile interpreter_file;
  load::Program interpreter;
  std::vector<std::string> argv;
  std::string path;  // as AT_EXECFN has it
};

long refuse(const load::Refusal& why) {
  refusal = why.reason;
  return -why.error.code;
}

long read_head(file::ProgramFile& file, std::vector<std::byte>& head) {
  head.resize(load::script_head_size);
  const auto size = file.read_at(0, head);
  if (!size) return -size.error().code;
  head.resize(*size);
  return 0;
}

// AT_EXECFN: of a file that was named by an fd, as execveat(2) has it.
std::string name_for_program(int directory_fd, const std::string& path) {
  if (path.starts_with('/') || directory_fd == AT_FDCWD) return path;
  return path.empty() ? fmt::format("/dev/fd/{}", directory_fd) : fmt::format("/dev/fd/{}/{}", directory_fd, path);
}

// Follows scripts to the ELF file that runs in the end.
long open_program(Thread& thread, int directory_fd, std::string path, int flags, Candidate& found) {
  for (int depth = 0; depth <= load::max_script_depth; ++depth) {
    auto opened = file::open_program(thread, directory_fd, path, flags);
    if (!opened) {
      if (depth > 0) refusal = fmt::format("its interpreter {}: {}", path, describe(opened.error()));
      return -opened.error().code;
    }
    found.file = std::move(*opened);
    if (depth == 0) found.path = name_for_program(directory_fd, path);
    std::vector<std::byte> head;
    if (const long error = read_head(found.file, head); error != 0) return error;
    if (!load::is_script(head)) {
      auto program = load::parse(found.file);
      if (!program) return refuse(program.error());
      found.program = std::move(*program);
      return 0;
    }
    const auto script = load::parse_script(head);
    if (!script) return refuse(script.error());
    found.argv = load::script_argv(*script, path, found.argv);
    path = script->interpreter;
    directory_fd = AT_FDCWD, flags = 0;
  }
  return -ELOOP;
}

long open_interpreter(Thread& thread, Candidate& found) {
  if (found.program.interpreter.empty()) return 0;
  auto opened = file::open_program(thread, AT_FDCWD, found.program.interpreter, 0);
  if (!opened) {
    refusal = fmt::format("its interpreter {}: {}", found.program.interpreter, describe(opened.error()));
    return -opened.error().code;
  }
  found.interpreter_file = std::move(*opened);
  auto program = load::parse(found.interpreter_file);
  if (!program) {
    refusal = fmt::format("its interpreter {}: {}", found.program.interpreter, program.error().reason);
    return -ELIBBAD;
  }
  found.interpreter = std::move(*program);
  return 0;
}

// What of an execution is left to chance, asked for at once.
struct Chance {
  uint64_t program, stack, mappings, heap;
  decltype(load::StackInput::random) for_program;
};

uint64_t random_pages(uint64_t chance, int bits) { return (chance & ((uint64_t{1} << bits) - 1)) * memory::page_size; }

uint64_t stack_limit() {
  const rlimit limit = limit_of(process(), RLIMIT_STACK);
  return limit.rlim_cur > most_stack ? (limit.rlim_cur == RLIM_INFINITY ? default_stack : most_stack) : limit.rlim_cur;
}

// Where things go that have no address of their own. Mappings go down from their top, the interpreter first, so that it
// shares page tables with the libraries.
struct Places {
  uint64_t program, stack_top, stack_limit, mappings_top, heap_gap;

  [[nodiscard]] uint64_t stack_size() const { return memory::page_up(stack_limit); }
};

Places choose_places(const Chance& chance) {
  constexpr uint64_t upper_half = uint64_t{1} << 29;
  Places places;
  places.program = movable_base + random_pages(chance.program, 28);
  // In the upper half of its GiB, so that the first mappings are in the same one.
  places.stack_top = (stack_end - memory::page_size - random_pages(chance.stack, 22)) | upper_half;
  places.stack_limit = stack_limit();
  places.mappings_top =
      places.stack_top - places.stack_size() - random_pages(chance.mappings, 16) - memory::trampoline_zone;
  places.heap_gap = random_pages(chance.heap, 12);
  return places;
}

uint64_t aligned_down(uint64_t address, const load::Program& image) {
  return address - address % load::base_alignment(image);
}

Result<void> map_image(Process& p, const load::ImagePlan& plan, file::ProgramFile& file) {
  for (const Action& action : plan.actions) {
    if (action.kind == Action::Kind::zero) {
      const bool writable = (action.protection & PROT_WRITE) != 0;
      if (!writable)
        raw::syscall(SYS_mprotect, memory::page_down(action.address), memory::page_size, PROT_READ | PROT_WRITE);
      std::memset(reinterpret_cast<void*>(action.address), 0, action.size);
      if (!writable)
        raw::syscall(SYS_mprotect, memory::page_down(action.address), memory::page_size, action.protection);
    } else if (action.kind == Action::Kind::map_anonymous) {
      auto mapped = p.memory.map(action.address, action.size, action.protection,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, nullptr);
      if (!mapped) return std::unexpected(mapped.error());
    } else {
      OSP_TRY(file.map(p.memory, action.address, action.size, action.protection, action.file_offset));
    }
  }
  return {};
}

// Without the vDSO.
load::StackInput stack_input(const Process& p, const Candidate& found, const load::LoadPlan& plan,
                             const std::vector<std::string>& envp, const Places& places) {
  load::StackInput input;
  input.argv = found.argv, input.envp = envp, input.execfn = found.path;
  input.top = places.stack_top, input.stack_limit = places.stack_limit;
  input.phdr_address = plan.program.phdr_address, input.phdr_count = plan.program.phdr_count;
  input.interpreter_base = plan.interpreter_base, input.entry = plan.program.entry;
  const Credentials who = credentials_of(p);
  input.uid = who.uid, input.euid = who.euid, input.gid = who.gid, input.egid = who.egid;
  input.hwcap = getauxval(AT_HWCAP), input.hwcap2 = getauxval(AT_HWCAP2);
  input.minsigstksz = trap::vector::area_size() + 1024;
  return input;
}

void reset_signals(Thread& thread) {
  signal::clear_handlers(thread.process);
  thread.signals.alternate = {nullptr, SS_DISABLE, 0};
}

void reset_registers(Thread& thread, uint64_t entry, uint64_t sp) {
  drop_vector_state(thread);
  std::byte* area = trap::vector::make_area();
  trap::vector::release(std::exchange(thread.regs.vector, area));
  thread.regs = {};
  thread.regs.vector = area;
  thread.regs.rip = entry, thread.regs.rsp = sp;
  thread.clear_child_tid = 0, thread.robust_list = 0;
  thread.interrupted = 0, thread.rewound_rip = 0;
}

void name_process(Thread& thread, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1, 15);
  thread.name = {};
  std::memcpy(thread.name.data(), name.data(), name.size());
  if (!host::is_native()) show_process_name(thread.name.data());
}

// What the host shows of us to others (ps(1), pgrep(1), a debugger) is the program's: PR_SET_MM_MAP in prctl(2). Where
// the kernel was built without it, they see osp-run's.
void tell_host(const load::ImagePlan& program, const load::StackImage& stack) {
  if (host::is_native()) return;
  prctl_mm_map map = {};
  map.start_code = map.start_data = program.start;
  map.end_code = map.end_data = program.brk_start;
  map.start_brk = map.brk = program.brk_start;
  map.start_stack = stack.stack_pointer;
  map.arg_start = stack.argv_start, map.arg_end = stack.argv_end;
  map.env_start = stack.envp_start, map.env_end = stack.envp_end;
  map.auxv = reinterpret_cast<__u64*>(stack.auxv_start),
  map.auxv_size = static_cast<uint32_t>(stack.auxv_end - stack.auxv_start);
  map.exe_fd = ~0U;
  const long told = raw::syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
  if (told < 0)
    log::debug("exec", "the host keeps its idea of our arguments: {}", describe(Error(static_cast<int>(-told))));
}

void end_of_no_return(const char* what, const Error& error) { log::error("exec", "{}: {}", what, describe(error)); }

// Natively in a new space: the old one may be another's (vfork(2)), and goes at once otherwise.
Result<void> leave_memory(Process& p) {
  if (p.environment == nullptr) {
    p.memory.clear();
    return {};
  }
  OSP_ASSIGN(p.space, memory::Space::make());
  p.space->enter();
  p.memory.forget();
  return {};
}

// Whether none has been run yet; whoever starts the first says why it cannot be.
bool is_first(const Program& before) { return before.file < 0 && before.path.empty(); }

// What can only lie where the core does, which is the core: osp-run.
bool is_core(const load::ImagePlan& plan) { return window::overlaps(plan.start, plan.size); }

long refuse_core(const std::string& path) {
  refusal = "its place is the core's, which is here already; run the program without osp-run";
  if (!is_first(process().program)) log::error("exec", "{}: {}", path, refusal);
  return -EINVAL;
}

// What is written now, and what the program needs of it first, by one call instead of a page fault each.
void fill_stack(uint64_t pointer, uint64_t top) {
  constexpr uint64_t soon_used = 2 * memory::page_size, most = 16 * memory::page_size;
  const uint64_t from = memory::page_down(pointer) - soon_used;
  if (!host::is_native() && top - from <= most) host::populate(from, top);
}

// From here on the old program is gone, so failure is the end, as in the kernel.
Result<void> replace(Thread& thread, Candidate& found, const load::LoadPlan& plan, load::StackInput& input,
                     const Places& places) {
  Process& p = thread.process;
  const uint64_t top = places.stack_top, stack_size = places.stack_size();
  OSP_TRY(leave_memory(p));
  p.memory.set_layout(places.mappings_top, plan.program.brk_start + places.heap_gap);
  const int stack_protection = PROT_READ | PROT_WRITE | (plan.executable_stack ? PROT_EXEC : 0);
  auto stack = p.memory.map(top - stack_size, stack_size, stack_protection,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0, nullptr, Use::stack);
  if (!stack) return std::unexpected(stack.error());
  OSP_TRY(map_image(p, plan.program, found.file));
  if (plan.interpreter.size != 0) OSP_TRY(map_image(p, plan.interpreter, found.interpreter_file));
  OSP_ASSIGN(p.program.vdso, map_vdso(p));
  input.vdso = p.program.vdso;
  OSP_ASSIGN(const load::StackImage image, load::build_stack(input));
  fill_stack(image.stack_pointer, top);
  std::memcpy(reinterpret_cast<void*>(image.stack_pointer), image.bytes.data(), image.bytes.size());
  const auto* auxv = reinterpret_cast<const uint64_t*>(image.auxv_start);
  p.program.auxv.assign(auxv, auxv + (image.auxv_end - image.auxv_start) / 8);
  p.program.arguments_start = image.argv_start, p.program.arguments_end = image.argv_end;
  p.program.environment_end = image.envp_end;
  reset_registers(thread, plan.entry, image.stack_pointer);
  tell_host(plan.program, image);
  return {};
}

// Closes what it was loaded from, but for what answers /proc/self/exe.
void remember_file(Program& program, Candidate& found) {
  file::drop_fd(program.file);
  program.path = found.file.path();
  program.file = found.file.keep();
  found.interpreter_file = file::ProgramFile();
}

}  // namespace

Result<uintptr_t> map_vdso(Process& p) {
  using patch::CodeFile;
  if (CodeFile::fd() >= 0)
    if (auto shared = p.memory.map(0, vdso::mapped_size(), PROT_READ | PROT_EXEC, MAP_PRIVATE, CodeFile::fd(),
                                   CodeFile::vdso_offset, nullptr, Use::vdso))
      return shared;
  const auto image = vdso::image();
  OSP_ASSIGN(const uintptr_t at, p.memory.map(0, vdso::mapped_size(), PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, nullptr, Use::vdso));
  std::memcpy(reinterpret_cast<void*>(at), image.data(), image.size());
  OSP_TRY(p.memory.protect(at, vdso::mapped_size(), PROT_READ | PROT_EXEC));
  return at;
}

const std::string& last_refusal() { return refusal; }

long execute(Thread& thread, int directory_fd, const std::string& path, std::vector<std::string> argv,
             std::vector<std::string> envp, int flags) {
  Process& p = thread.process;
  refusal.clear();
  Candidate found;
  found.argv = std::move(argv);
  if (const long error = open_program(thread, directory_fd, path, flags, found); error != 0) return error;
  if (const long error = open_interpreter(thread, found); error != 0) return error;
  const bool interpreted = !found.program.interpreter.empty();
  Chance chance;
  host::random(&chance, sizeof chance);
  const Places places = choose_places(chance);
  load::Bases bases;
  bases.program = aligned_down(places.program, found.program);
  if (interpreted)
    bases.interpreter = aligned_down(places.mappings_top - load::span_size(found.interpreter), found.interpreter);
  const auto plan = load::plan_load(found.program, interpreted ? &found.interpreter : nullptr, bases);
  if (!plan) return refuse(plan.error());
  if (is_core(plan->program) || is_core(plan->interpreter)) return refuse_core(found.path);
  load::StackInput input = stack_input(p, found, *plan, envp, places);
  input.random = chance.for_program;
  if (const auto fits = load::build_stack(input); !fits) return -fits.error().code;

  p.stop_others(thread);
  release_robust_list(thread);
  if (p.environment == nullptr) release_vfork_parent();
  const auto done = replace(thread, found, *plan, input, places);
  if (p.environment != nullptr) release_vfork_parent();  // which has been left now
  if (!done) {
    end_of_no_return(found.path.c_str(), done.error());
    p.end(SIGSEGV);
  }
  const int former_tid = std::exchange(thread.tid, p.pid);
  note_execution();
  const bool first = is_first(p.program);  // the host's own exec has closed what was to be closed
  remember_file(p.program, found);
  p.program.arguments = std::move(found.argv);
  p.program.environment = std::move(envp);
  if (!first) p.files->close_on_exec();
  p.patcher->forget_all();
  p.patcher->mapped(plan->program.start, plan->program.size);
  if (interpreted) p.patcher->mapped_loader(plan->interpreter.start, plan->interpreter.size);
  p.futexes.clear();
  if (p.timers != nullptr) p.timers->remove_posix();
  host_timers().remove_all();
  reset_signals(thread);
  name_process(thread, found.path);
  ptrace::executed(thread, former_tid);
  return call_was_replaced;
}

}  // namespace osp::task
