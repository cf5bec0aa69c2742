#include "libosp/native/uart_console.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "libosp/device/support.h"

namespace osp::native {
namespace {

constexpr unsigned serial_major = 4, first_serial = 64;  // Linux's ttyS0

std::shared_ptr<device::Pipe> make_pipe() {
  auto pipe = std::make_shared<device::Pipe>();
  pipe->attributes = device::attributes_of_new(S_IFIFO | 0600);
  return pipe;
}

}  // namespace

SerialTerminal::SerialTerminal(const winsize& first_size)
    : Terminal(makedev(serial_major, first_serial), "/dev/ttyS0") {
  size = first_size;
}

void SerialTerminal::send() { line_->go_on_sending(); }
void SerialTerminal::input_has_room() { line_->go_on_reading(); }
bool SerialTerminal::is_sending() { return Terminal::is_sending() || !line_->is_idle(); }

size_t SerialTerminal::receive(std::span<const std::byte> bytes) {
  const size_t taken = Terminal::receive(bytes);
  received_ += taken;
  look_for_the_end();
  return taken;
}

size_t SerialTerminal::supply(std::span<std::byte> to) {
  const size_t taken = discipline.stopped() ? 0 : discipline.output().take(to);
  if (taken > 0) changed.notify();
  return taken;
}

std::shared_ptr<file::Description> SerialTerminal::open(int) {
  return std::make_shared<device::TerminalFile>(shared_from_this(), O_RDWR);
}

void SerialTerminal::end_input(uint64_t count) {
  end_ = count;
  look_for_the_end();
}

void SerialTerminal::look_for_the_end() {
  if (received_ >= end_) hang_up();
}

void SerialTerminal::resize(uint16_t rows, uint16_t columns) {
  Terminal::resize({.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0});
}

bool SerialTerminal::flush() {
  discipline.set_stopped(false);
  line_->go_on_sending();
  return !is_sending();
}

SerialStreams::SerialStreams()
    : input_(make_pipe()),
      output_(make_pipe()),
      has_room_(input_->writable, *this, &UartLine::go_on_reading),
      has_output_(output_->readable, *this, &UartLine::go_on_sending) {
  input_->writers = output_->readers = 1;
}

size_t SerialStreams::receive(std::span<const std::byte> bytes) {
  const size_t taken = input_->bytes.put(bytes);
  received_ += taken;
  if (taken > 0) input_->readable.notify();
  look_for_the_end();
  return taken;
}

size_t SerialStreams::supply(std::span<std::byte> to) {
  const size_t size = output_->bytes.take(to);
  if (size > 0) output_->writable.notify();
  return size;
}

std::shared_ptr<file::Description> SerialStreams::open(int fd) {
  if (fd == 0) return std::make_shared<device::PipeEnd>(input_, O_RDONLY);
  if (fd == 1) return std::make_shared<device::PipeEnd>(output_, O_WRONLY);
  return nullptr;
}

void SerialStreams::end_input(uint64_t count) {
  end_ = count;
  look_for_the_end();
}

void SerialStreams::look_for_the_end() {
  if (received_ < end_ || input_->writers == 0) return;
  input_->writers = 0;
  input_->readable.notify();
}

void SerialStreams::close_output() {
  output_->readers = 0;
  output_->bytes.clear();
  output_->writable.notify();
}

bool SerialStreams::flush() {
  line_->go_on_sending();
  return output_->bytes.empty() && line_->is_idle();
}

}  // namespace osp::native
