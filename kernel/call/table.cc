#include <cerrno>
#include <cstddef>

#include "kernel/call/calls.h"
#include "kernel/call/entry.h"
#include "kernel/cpu/layout.h"
#include "libosp/host/host.h"

// Which function serves which number.
extern "C" {
// kernel/cpu/entry.S, on the way to the functions behind.
long osp_call_clone(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
long osp_call_clone3(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
long osp_call_upcall_return(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
long osp_call_resume(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

[[gnu::used]] long osp_clone(uint64_t flags, uint64_t stack, uint32_t* parent_word, uint32_t* child_word,
                             uint64_t tls) {
  return osp::kernel::call::clone(flags, stack, parent_word, child_word, tls);
}
[[gnu::used]] long osp_clone3(const clone_args* arguments, uint64_t size) {
  return osp::kernel::call::clone3(arguments, size);
}
[[gnu::used]] long osp_upcall_return(const osp::native::Frame* frame) {
  return osp::kernel::call::upcall_return(frame);
}
[[gnu::used]] long osp_resume(const osp::native::Resume* to) { return osp::kernel::call::resume(to); }
}

namespace osp::kernel {
namespace {

long no_such_call() { return -ENOSYS; }

constexpr uint64_t native_count = native::last_call - native::first_call + 1;
static_assert(native::first_call == OSP_NATIVE_FIRST);

template <size_t count>
struct Table {
  CallEntry entries[count];

  constexpr Table() : entries{} {
    for (CallEntry& each : entries) each = entry_of<no_such_call>;
  }
};

constexpr Table<OSP_LINUX_CALLS> make_linux_table() {
  Table<OSP_LINUX_CALLS> table;
  CallEntry* e = table.entries;
  e[SYS_mmap] = entry_of<call::mmap>, e[SYS_munmap] = entry_of<call::munmap>;
  e[SYS_mprotect] = entry_of<call::mprotect>, e[SYS_madvise] = entry_of<call::madvise>;
  e[SYS_clone3] = osp_call_clone3, e[SYS_clone] = osp_call_clone;
  e[SYS_exit] = entry_of<call::exit>, e[SYS_exit_group] = entry_of<call::exit_group>;
  e[SYS_futex] = entry_of<call::futex>, e[SYS_sched_yield] = entry_of<call::sched_yield>;
  e[SYS_set_tid_address] = entry_of<call::set_tid_address>, e[SYS_arch_prctl] = entry_of<call::arch_prctl>;
  e[SYS_gettid] = entry_of<call::gettid>, e[SYS_getpid] = entry_of<call::getpid>;
  e[SYS_sched_getaffinity] = entry_of<call::sched_getaffinity>;
  e[SYS_clock_gettime] = entry_of<call::clock_gettime>, e[SYS_clock_nanosleep] = entry_of<call::clock_nanosleep>;
  e[SYS_getrandom] = entry_of<call::getrandom>, e[SYS_prlimit64] = entry_of<call::prlimit64>;
  e[SYS_rt_sigprocmask] = entry_of<call::rt_sigprocmask>, e[SYS_rt_sigaction] = entry_of<call::rt_sigaction>;
  e[SYS_set_robust_list] = entry_of<call::set_robust_list>, e[SYS_rseq] = entry_of<call::rseq>;
  e[SYS_write] = entry_of<call::write>, e[SYS_writev] = entry_of<call::writev>;
  e[SYS_newfstatat] = entry_of<call::newfstatat>, e[SYS_readlink] = entry_of<call::readlink>;
  return table;
}

constexpr Table<native_count> make_native_table() {
  using namespace native;
  Table<native_count> table;
  CallEntry* e = table.entries - 0;
  constexpr auto at = [](KernelCall number) { return static_cast<size_t>(number - first_call); };
  e[at(native::upcall_set)] = entry_of<call::upcall_set>, e[at(upcall_return)] = osp_call_upcall_return;
  e[at(native::resume)] = osp_call_resume, e[at(native::notify_set)] = entry_of<call::notify_set>;
  e[at(native::timer_set)] = entry_of<call::timer_set>, e[at(native::null_call)] = entry_of<call::null_call>;
  e[at(native::space_make)] = entry_of<call::space_make>, e[at(space_clone)] = entry_of<call::space_clone>;
  e[at(native::space_enter)] = entry_of<call::space_enter>, e[at(space_drop)] = entry_of<call::space_drop>;
  e[at(native::map_from)] = entry_of<call::map_from>, e[at(queue_make)] = entry_of<call::queue_make>;
  e[at(native::message_send)] = entry_of<call::message_send>;
  e[at(native::message_receive)] = entry_of<call::message_receive>;
  e[at(native::message_exchange)] = entry_of<call::message_exchange>;
  e[at(native::select)] = entry_of<call::select>, e[at(semaphore_make)] = entry_of<call::semaphore_make>;
  e[at(native::semaphore_up)] = entry_of<call::semaphore_up>;
  e[at(native::semaphore_down)] = entry_of<call::semaphore_down>;
  e[at(native::segment_map_part)] = entry_of<call::segment_map_part>;
  e[at(native::segment_resize)] = entry_of<call::segment_resize>;
  e[at(native::segment_make)] = entry_of<call::segment_make>, e[at(segment_map)] = entry_of<call::segment_map>;
  e[at(native::handle_close)] = entry_of<call::handle_close>;
  e[at(native::interrupt_attach)] = entry_of<call::interrupt_attach>;
  e[at(native::interrupt_done)] = entry_of<call::interrupt_done>;
  e[at(native::port_in)] = entry_of<call::port_in>, e[at(port_out)] = entry_of<call::port_out>;
  e[at(native::port_in_string)] = entry_of<call::port_in_string>;
  e[at(native::port_out_string)] = entry_of<call::port_out_string>;
  e[at(native::memory_use)] = entry_of<call::memory_use>;
  e[at(native::task_table)] = entry_of<call::task_table>;
  return table;
}

template <size_t count>
constexpr bool is_whole(const Table<count>& table) {
  for (const CallEntry each : table.entries)
    if (each == entry_of<no_such_call>) return false;
  return true;
}

constexpr bool serves_the_host_interface(const Table<OSP_LINUX_CALLS>& table) {
  for (const long number : host::calls)
    if (table.entries[number] == entry_of<no_such_call>) return false;
  return true;
}

static_assert(is_whole(make_native_table()));
static_assert(serves_the_host_interface(make_linux_table()));

}  // namespace

extern "C" {
extern const Table<OSP_LINUX_CALLS> osp_linux_calls;
extern const Table<native_count> osp_native_calls;
extern const uint64_t osp_native_call_count;
constinit const Table<OSP_LINUX_CALLS> osp_linux_calls = make_linux_table();
constinit const Table<native_count> osp_native_calls = make_native_table();
constinit const uint64_t osp_native_call_count = native_count;
}

}  // namespace osp::kernel
