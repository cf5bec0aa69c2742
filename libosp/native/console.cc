#include "libosp/native/console.h"

#include <sys/stat.h>

#include <array>

#include "base/log.h"
#include "libosp/device/device_tree.h"
#include "libosp/device/terminals.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/host/host.h"
#include "libosp/native/task_report.h"
#include "libosp/signal/deliver.h"
#include "libosp/task/scheduler.h"
#include "libosp/trap/frame.h"
#include "pip/client.h"

namespace osp::native {
namespace {

// What the kernel's console takes: standard error, and what the core says.
class KernelConsole final : public file::Description {
 public:
  long read(task::Thread&, void*, size_t) override { return 0; }
  long write(task::Thread&, const void* from, size_t size) override {
    std::array<char, 1024> buffer;
    size_t done = 0;
    while (done < size) {
      const size_t part = std::min(size - done, buffer.size());
      if (osp_user_copy(buffer.data(), static_cast<const char*>(from) + done, part) != 0)
        return done > 0 ? static_cast<long>(done) : -EFAULT;
      host::write_console(buffer.data(), part);
      done += part;
    }
    return static_cast<long>(done);
  }
  Result<pip::Attributes> stat() override {
    pip::Attributes a;
    a.mode = S_IFIFO | 0600, a.links = 1;
    return a;
  }
};

// Beyond those that pip::Client takes.
constexpr uint32_t root_fid = 1 << 16, terminal_fid = root_fid + 1, control_fid = root_fid + 2;
constexpr int64_t for_ever = -1;

const Service* service_named(const BootInfo& info, std::string_view name) {
  for (size_t i = 0; i < info.service_count; ++i)
    if (info.services[i].name == name) return &info.services[i];
  return nullptr;
}

std::vector<pip::Message> open_ports() {
  return {pip::Tattach{.fid = root_fid, .afid = pip::no_fid, .uname = {}, .aname = {}},
          pip::Topen{.fid = root_fid, .nfid = terminal_fid, .path = "dev/uart/eia0", .mode = "rw"},
          pip::Topen{.fid = root_fid, .nfid = control_fid, .path = "dev/uart/eia1", .mode = "rw"}};
}

[[noreturn]] void fail_without_driver(std::string_view why) {
  constexpr int status_failed = 125;
  log::error("osp-boot", "the serial driver (task uart) does not serve the program's terminal: {}", why);
  host::end(status_failed);
}

}  // namespace

Result<void> Console::connect(uint32_t service) {
  OSP_ASSIGN(ports_.client, UartClient::connect(service));
  return ports_.client->exchange(open_ports());
}

void Console::make_console(const BootRecord& record) {
  if (!record.has_terminal()) {
    console_ = std::make_shared<SerialStreams>();
    return;
  }
  const winsize size = {static_cast<uint16_t>(record.rows), static_cast<uint16_t>(record.columns), 0, 0};
  auto terminal = std::make_shared<SerialTerminal>(size);
  terminal->attributes.uid = record.uid;
  terminal->session = first().session;
  terminal->foreground = first().group;
  device::add_terminal(terminal);
  device::set_console(terminal);
  device::add_node("ttyS0", S_IFCHR | 0620, terminal->device);
  console_ = std::move(terminal);
}

void Console::open(const BootInfo& info, const BootRecord& record) {
  const Service* uart = service_named(info, "uart");
  const auto connected = uart == nullptr ? fail(ENXIO) : connect(uart->queue);
  if (uart != nullptr && !connected) fail_without_driver(describe(connected.error()));
  if (connected) {
    make_console(record);
    ports_.line = std::make_unique<UartLine>(*ports_.client, terminal_fid, *console_);
    ports_.control = std::make_unique<ControlLine>(*ports_.client, control_fid, *this);
    console_->begin(*ports_.line);
  }
  auto kernel_console = std::make_shared<KernelConsole>();
  kernel_console->flags = O_RDWR;
  file::Files& files = *first().process->files;
  for (int fd = 0; fd < 3; ++fd) {
    const bool is_serial = console_ != nullptr && (fd != 2 || record.terminal[2]);
    auto opened = is_serial ? console_->open(fd) : nullptr;
    files.install(opened != nullptr ? std::move(opened) : kernel_console, false);
  }
  if (const auto begun = devices_.begin(ports_.client.get()); !begun)
    log::error("console", "nothing tells of the serial ports: {}", describe(begun.error()));
  task::scheduler().set_devices(&devices_);
  if (!connected) return;
  serve_ports();
  ports_.line->go_on_reading();
  ports_.control->begin();
  ports_.control->say("ready");
}

void Console::serve_ports() {
  ports_.channel = std::make_unique<UartChannel>(*ports_.client);
  auto tree = pip::Client::create(*ports_.channel, "#t");
  if (!tree) return log::error("console", "no /dev/uart: {}", describe(tree.error()));
  const ns::Request request = {.base = "/", .path = "/dev/uart"};
  ns::Namespace& space = first().process->names->space();
  const auto mounted = space.mount(std::move(*tree), "dev/uart", request, {.make_up = true});
  if (!mounted) log::error("console", "no /dev/uart: {}", mounted.error().reason);
}

void Console::take(const Order& order) {
  if (const auto* end = std::get_if<order::End>(&order)) return console_->end_input(end->count);
  if (const auto* size = std::get_if<order::Resize>(&order)) return console_->resize(size->rows, size->columns);
  if (std::holds_alternative<order::Tasks>(order)) return write_tasks(processes_);
  is_unwanted_ = ending_;
  if (ending_) return;
  if (std::holds_alternative<order::Closed>(order)) return console_->close_output();
  const auto info = signal::make_info(std::get<order::Signal>(order).number, SI_USER);
  processes_.post_to_group(first().group, info);
}

void Console::driver_ended() { fail_without_driver("it has ended"); }

void Console::stopped() {
  if (ports_.control != nullptr) ports_.control->say("stop");
}

void Console::ending() {
  ending_ = true;
  if (console_ == nullptr) return;
  const auto wait = [this] {
    trap::worker().pending = 0;  // nobody is left whom it concerns
    devices_.look(for_ever);
  };
  while (!is_unwanted_ && !console_->flush()) wait();
  bool is_empty = false;
  if (is_unwanted_ || !ports_.line->await_empty(is_empty)) return;
  while (!is_unwanted_ && !is_empty) wait();
}

}  // namespace osp::native
