#pragma once

#include <memory>

#include "libosp/device/pipe.h"
#include "libosp/device/terminal.h"
#include "libosp/native/uart_line.h"

namespace osp::native {

// What the first serial port is to the programs. The port's line is given once, before anything else is asked.
class UartConsole : public UartLine::User {
 public:
  virtual void begin(UartLine& line) = 0;
  // The description that is to be fd 0, 1 or 2; null: this console has none for it.
  virtual std::shared_ptr<file::Description> open(int fd) = 0;
  // No more comes than `count` bytes since the start.
  virtual void end_input(uint64_t count) = 0;
  // Nobody takes what is written.
  virtual void close_output() = 0;
  virtual void resize(uint16_t rows, uint16_t columns) = 0;
  // Whether all that programs wrote is on the line; what a program stopped goes on.
  virtual bool flush() = 0;
};

// A terminal, with its line discipline here.
class SerialTerminal final : public device::Terminal,
                             public UartConsole,
                             public std::enable_shared_from_this<SerialTerminal> {
 public:
  explicit SerialTerminal(const winsize& first_size);

  void send() override;
  void input_has_room() override;
  [[nodiscard]] bool is_sending() override;

  size_t receive(std::span<const std::byte> bytes) override;
  size_t supply(std::span<std::byte> to) override;
  void sent() override { changed.notify(); }

  void begin(UartLine& line) override { line_ = &line; }
  std::shared_ptr<file::Description> open(int fd) override;
  void end_input(uint64_t count) override;
  void close_output() override { hang_up(); }
  void resize(uint16_t rows, uint16_t columns) override;
  bool flush() override;

 private:
  void look_for_the_end();

  UartLine* line_ = nullptr;
  uint64_t received_ = 0, end_ = UINT64_MAX;
};

// Standard input and output as pipes, whose other ends are the line's.
class SerialStreams final : public UartConsole {
 public:
  SerialStreams();

  size_t receive(std::span<const std::byte> bytes) override;
  size_t supply(std::span<std::byte> to) override;

  void begin(UartLine& line) override { line_ = &line; }
  std::shared_ptr<file::Description> open(int fd) override;
  void end_input(uint64_t count) override;
  void close_output() override;
  void resize(uint16_t, uint16_t) override {}
  bool flush() override;

 private:
  // Hears that programs have read or written.
  class Ear final : public task::Listener {
   public:
    Ear(task::WaitQueue& queue, SerialStreams& owner, void (UartLine::*then)())
        : Listener(queue), owner_(owner), then_(then) {}
    void changed() override { (owner_.line_->*then_)(); }

   private:
    SerialStreams& owner_;
    void (UartLine::*then_)();
  };
  void look_for_the_end();

  std::shared_ptr<device::Pipe> input_, output_;
  UartLine* line_ = nullptr;
  uint64_t received_ = 0, end_ = UINT64_MAX;
  Ear has_room_, has_output_;
};

}  // namespace osp::native
