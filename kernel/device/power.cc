#include "kernel/device/power.h"

#include "kernel/call/count.h"
#include "kernel/cpu/registers.h"
#include "kernel/library/text.h"

namespace osp::kernel {
namespace {

constexpr uint16_t status_port = 0xea, exit_port = 0xf4;

void write_status(int status) {
  char buffer[32];
  Text text(buffer, sizeof buffer);
  text << "exit " << (status & 0xff) << '\n';
  cpu::out_string(status_port, text.data(), text.length());
}

[[noreturn]] void switch_off(int status) {
  cpu::out32(exit_port, static_cast<uint32_t>(status & 0xff));
  cpu::stop();
}

}  // namespace

void end_machine(int status) {
  log_call_counts();
  write_status(status);
  switch_off(status);
}

void fail_machine(int status, const char* what, const char* why) {
  write_status(status);
  char buffer[160];
  Text text(buffer, sizeof buffer - 1);
  text << "failed " << what << ": " << why;
  buffer[text.length()] = '\n';
  cpu::out_string(status_port, text.data(), text.length() + 1);
  switch_off(status);
}

}  // namespace osp::kernel
