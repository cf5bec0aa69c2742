#include "kernel/device/power.h"

#include "kernel/cpu/registers.h"
#include "kernel/library/text.h"

namespace osp::kernel {
namespace {

constexpr uint16_t status_port = 0xea, exit_port = 0xf4;

}  // namespace

void end_machine(int status) {
  char buffer[32];
  Text text(buffer, sizeof buffer);
  text << "exit " << (status & 0xff) << '\n';
  cpu::out_string(status_port, text.data(), text.length());
  cpu::out32(exit_port, static_cast<uint32_t>(status & 0xff));
  cpu::stop();
}

}  // namespace osp::kernel
