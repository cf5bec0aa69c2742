// The core's own start: a door has mapped us and passes a BootBlock in the aux vector.
#include <sys/auxv.h>
#include <sys/wait.h>

#include <bit>
#include <cstdlib>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/command/run.h"
#include "libosp/control/order.h"
#include "libosp/control/serve.h"
#include "libosp/crash.h"
#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/file/names.h"
#include "libosp/file/servers.h"
#include "libosp/host/boot.h"
#include "libosp/host/host.h"
#include "libosp/linux/trace.h"
#include "libosp/native/start.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/ptrace/table.h"
#include "libosp/start.h"
#include "libosp/task/core_lock.h"
#include "libosp/task/fork.h"
#include "libosp/task/process.h"
#include "libosp/task/worker.h"
#include "migrate/checkpoint.h"
#include "migrate/restore.h"

namespace {

using namespace osp;

constexpr unsigned long fsgsbase = 2;  // AT_HWCAP2

[[noreturn]] void die(int status, std::string_view what) {
  log::error("core", "{}", what);
  host::end(status);
}

const char* host_variable(const host::BootBlock& boot, std::string_view name) {
  for (const char* const* entry = boot.envp; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with(name) && text.size() > name.size() && text[name.size()] == '=')
      return *entry + name.size() + 1;
  }
  return nullptr;
}

void start_worker() {
  task::Worker& worker = task::first_worker();
  worker.raw.bases_by_call = (getauxval(AT_HWCAP2) & fsgsbase) == 0 ? 1 : 0;
  task::let_trampolines_enter();
  task::workers().begin_with(worker);
  task::core_lock().lock();
}

// OSP_WORKERS: how many; else one for each processor that the process may use.
size_t most_workers(const host::BootBlock& boot) {
  unsigned long count = 0;
  if (const char* wanted = host_variable(boot, "OSP_WORKERS"); wanted != nullptr)
    count = std::strtoul(wanted, nullptr, 10);
  unsigned long processors[128] = {};
  if (count == 0 && raw::syscall(SYS_sched_getaffinity, 0, sizeof processors, processors) > 0)
    for (const unsigned long word : processors) count += static_cast<unsigned long>(std::popcount(word));
  return std::max(count, 1UL);
}

// What the door has made, or is made of osp-run's command line. Null: there is neither.
const host::BootBlock* boot_block() {
  if (auto* const stack = reinterpret_cast<uint64_t*>(getauxval(host::auxv_entry_stack)); stack != nullptr)
    return &command::read_command(host::EntryStack::of(stack));
  return reinterpret_cast<const host::BootBlock*>(getauxval(host::auxv_boot_block));
}

}  // namespace

int main() {
  if (const auto* info = reinterpret_cast<const native::BootInfo*>(getauxval(native::auxv_boot_info))) {
    task::first_worker().raw.is_native = 1;
    start_worker();
    install_crash_report(nullptr);
    native::start(*info);
  }
  const host::BootBlock* const boot = boot_block();
  if (boot == nullptr) die(125, "osp-core is started by osp-run, libosp-preload.so or osp restore, not by itself");
  if (const char* spec = host_variable(*boot, "OSP_LOG"); spec != nullptr) log::configure(spec);
  start_worker();
  install_crash_report(boot->core_path);
  [[gnu::section(".hot_data")]] static task::Process process;
  task::set_process(&process);
  process.host_pid = process.pid = raw::getpid();
  process.files = std::make_unique<file::Files>();
  process.names = std::make_unique<file::Names>();
  process.umask = static_cast<uint32_t>(raw::syscall(SYS_umask, 0));
  raw::syscall(SYS_umask, process.umask);
  keeper::prepare(*boot);
  task::workers().set_most(most_workers(*boot));
  patch::KnownSites::prepare();
  process.patcher = std::make_unique<patch::SitePatcher>(process.memory);
  if (boot->trace != nullptr) {
    if (const auto opened = linux::trace_to(boot->trace); !opened)
      die(125, fmt::format("--trace: {}: {}", boot->trace, describe(opened.error())));
    process.trace = true;
  }
  control::set_hooks({migrate::checkpoint, migrate::checkpoint_report});
  process.serve_stop = control::serve;
  if (boot->door == host::Door::restore) migrate::restore_program(*boot);
  file::CoreServers servers;
  start_program(*boot, servers);
}
