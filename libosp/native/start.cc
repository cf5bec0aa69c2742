#include "libosp/native/start.h"

#include <cstring>
#include <string_view>

#include "base/log.h"
#include "libosp/device/device_tree.h"
#include "libosp/device/text_device.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/host/boot.h"
#include "libosp/host/host.h"
#include "libosp/host/kernel_vdso.h"
#include "libosp/host/side.h"
#include "libosp/linux/table.h"
#include "libosp/linux/trace.h"
#include "libosp/memory/file_pages.h"
#include "libosp/native/boot_record.h"
#include "libosp/native/clock.h"
#include "libosp/native/console.h"
#include "libosp/native/jobs.h"
#include "libosp/native/machine.h"
#include "libosp/native/proc_tree.h"
#include "libosp/native/processes.h"
#include "libosp/native/root_archive.h"
#include "libosp/native/servers.h"
#include "libosp/native/task_report.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/start.h"

namespace osp::native {
namespace {

constexpr int status_failed = 125;
constexpr std::string_view log_variable = "OSP_LOG=";

[[noreturn]] void die(std::string_view what) {
  log::error("osp-boot", "{}", what);
  host::end(status_failed);
}

std::span<const std::byte> module_named(const BootInfo& info, std::string_view name) {
  for (size_t i = 0; i < info.module_count; ++i)
    if (info.modules[i].name == name) return std::as_bytes(std::span(info.modules[i].data, info.modules[i].size));
  return {};
}

BootRecord read_record(const BootInfo& info) {
  auto record = BootRecord::decode(module_named(info, "boot"));
  if (!record) die(fmt::format("the boot record: {}", record.error().reason));
  return std::move(*record);
}

std::shared_ptr<ns::Namespace> make_root(const BootInfo& info) {
  const auto archive = module_named(info, "root");
  if (archive.empty()) die("the boot archive has no file 'root': there is nothing to run");
  // As much as Linux's tmpfs lets programs write: half of what there is.
  const uint64_t limit = (info.memory - archive.size()) / 2;
  auto server = read_root_archive(archive, {.size_limit = limit, .pages = memory::make_file_pages});
  if (!server) die(fmt::format("the root archive: {}", server.error().reason));
  return std::make_shared<ns::Namespace>(std::move(*server));
}

std::vector<const char*> pointers(const std::vector<std::string>& strings) {
  std::vector<const char*> all;
  for (const std::string& text : strings) all.push_back(text.c_str());
  all.push_back(nullptr);
  return all;
}

// The record in the form that doors give; it borrows all of it.
struct Block {
  explicit Block(const BootRecord& record)
      : arguments(pointers(record.arguments)), environment(pointers(record.environment)) {
    using Kind = host::NamespaceOption::Kind;
    for (const auto& option : record.names)
      options.push_back(
          {option.kind == Kind::file ? Kind::contents : option.kind, option.text.c_str(), option.name.c_str()});
    block.program = record.program.c_str();
    block.argv = arguments.data(), block.envp = environment.data();
    block.options = options.data(), block.option_count = options.size();
    block.change_directory = record.directory.c_str();
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::vector<const char*> arguments, environment;
  std::vector<host::NamespaceOption> options;
  host::BootBlock block;
};

void write_to_console(std::string_view text) { host::write_console(text.data(), text.size()); }
void write_to_trace_port(std::string_view text) { raw::syscall(port_out_string, trace_port, text.data(), text.size()); }

// What every program expects to find beside the files of the root, which need not have a place for it.
void mount(ns::Namespace& space, std::shared_ptr<pip::Server> server, std::string_view onto) {
  const ns::Request request = {.base = "/", .path = onto};
  if (const auto mounted = space.mount(std::move(server), "", request, {.make_up = true}); !mounted)
    log::error("core", "{}", mounted.error().reason);
}

void furnish(task::Process& p, const BootInfo& info, const BootRecord& record) {
  auto space = memory::Space::make();
  if (!space) die(fmt::format("no address space: {}", describe(space.error())));
  p.space = std::move(*space);
  p.space->enter();
  p.files = std::make_unique<file::Files>();
  p.names = std::make_unique<file::Names>(make_root(info));
  p.names->set_cwd(record.directory);  // where relative names of the name space begin
  mount(p.names->space(), device::device_tree(), "/dev");
  device::add_text_device("tasks", [] { return task_table_text(); });
  mount(p.names->space(), proc_tree(Processes::of(p)), "/proc");
  p.patcher = std::make_unique<patch::SitePatcher>(p.memory);
  p.umask = record.umask;
  p.credentials = {record.uid, record.uid, record.uid, record.gid, record.gid, record.gid};
  p.trace = record.trace.has_value();
  linux::trace_with(record.trace.value_or("").empty() ? &write_to_console : &write_to_trace_port);
}

}  // namespace

void start(const BootInfo& info) {
  host::set_native();
  host::set_kernel_clock(&read_time_page);
  linux::use_native_table();
  static Processes processes;
  static Jobs jobs(processes);
  device::set_job_control(&jobs);
  static const BootRecord record = read_record(info);
  for (const std::string_view variable : record.environment)
    if (variable.starts_with(log_variable)) log::configure(variable.substr(log_variable.size()));
  machine() = {record.hostname, info.memory, info.processors};
  task::Process& first = processes.begin();
  task::set_process(&first);
  furnish(first, info, record);
  static Console console(processes);
  console.open(info, record);
  processes.set_watcher(console);
  static const Block block(record);
  static Servers servers;
  start_program(block.block, servers);
  __builtin_unreachable();
}

}  // namespace osp::native
