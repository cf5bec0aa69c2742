// The serial ports of a PC, as files of πp: a task of the microkernel's.
#include <array>

#include "drivers/uart/connections.h"
#include "drivers/uart/kernel.h"

namespace {

using namespace osp;
using namespace osp::uart;

constexpr uint32_t own_queue = 0;
constexpr int64_t line_look_ns = 500'000;  // how soon to look again whether the last bit has left

// A port with its interrupt.
struct Device {
  Device(uint16_t first, uint32_t interrupt_line)
      : registers(first), port(registers), line(interrupt_line), semaphore(attach()) {}

  uint32_t attach() const {
    const long made = kernel::call(native::semaphore_make, 0);
    if (made < 0 || kernel::call(native::interrupt_attach, line, made) != 0) return native::no_handle;
    return static_cast<uint32_t>(made);
  }
  void serve() {
    kernel::call(native::semaphore_down, semaphore, kernel::not_at_all);
    port.serve();
  }

  kernel::PortRegisters registers;
  Port port;
  uint32_t line;
  uint32_t semaphore;
};

void take_messages(Connections& connections) {
  native::Message message = {};
  while (kernel::receive(own_queue, message) == 0) connections.take(message);
}

[[noreturn]] void run(std::array<Device, 2>& devices, Tree& tree) {
  Connections connections;
  for (;;) {
    std::array<native::Ready, 3> ready = {{{own_queue, 0}, {devices[0].semaphore, 0}, {devices[1].semaphore, 0}}};
    const uint64_t deadline =
        connections.wait_for_the_line() ? static_cast<uint64_t>(host::monotonic_ns() + line_look_ns) : kernel::for_ever;
    kernel::call(native::select, ready.data(), ready.size(), deadline);
    for (size_t i = 0; i < devices.size(); ++i)
      if (ready[i + 1].ready != 0) devices[i].serve();
    if (ready[0].ready != 0) take_messages(connections);
    tree.begin_round();
    connections.advance(tree);
    tree.settle();
    for (size_t i = 0; i < devices.size(); ++i)
      if (ready[i + 1].ready != 0) kernel::call(native::interrupt_done, devices[i].line);
  }
}

}  // namespace

int main() {
  static std::array<Device, 2> devices = {Device(0x3f8, 4), Device(0x2f8, 3)};
  std::array<Port*, 2> ports = {&devices[0].port, &devices[1].port};
  for (const Device& device : devices)
    if (device.semaphore == native::no_handle) return 1;
  Tree tree(ports);
  run(devices, tree);
}
