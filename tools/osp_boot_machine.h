#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "pip/host_walk.h"
#include "tools/osp_boot_cpio.h"

namespace osp::tools {

// The machine's ways to osp-boot: the serial ports, and what tasks and the kernel write to their console.
enum class Port : unsigned char { orders, console, status, count };

struct MachineOptions {
  std::string machine = "microvm";
  std::string kernel{};   // the path of its ELF file
  std::string archive{};  // the path of the boot archive
  std::string trace{};    // the file that takes a trace; empty: none
  uint64_t memory = 0;    // bytes
  unsigned processors = 1;
  std::vector<std::string> more{};  // arguments at the end of the command
};

// QEMU's command, but for what the ports are.
std::vector<std::string> machine_command(const MachineOptions& options);
// The command with ports that a person at a terminal can use, as a shell reads it.
std::string command_by_hand(const MachineOptions& options);

// A QEMU that runs. The destructor ends it.
class Machine {
 public:
  // Starts it in a process group of its own, so that the terminal's signals pass it by; it ends with this process.
  // The error says what is missing and how to get it.
  static BootResult<Machine> start(const MachineOptions& options);
  Machine(Machine&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)),
        ports_(std::move(other.ports_)),
        input_(std::move(other.input_)),
        output_(std::move(other.output_)),
        words_(std::move(other.words_)) {}
  Machine& operator=(Machine&&) = delete;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() { (void)end(); }

  // Our ends of the first serial port: pipes, which do not block. The output's end of file is the end of the machine.
  // (QEMU sends each byte by itself, which costs a socket many times more than a pipe.)
  [[nodiscard]] int input() const { return input_.get(); }
  [[nodiscard]] int output() const { return output_.get(); }
  // Our end of another port: a socket, which does not block. Its end of file is the end of the machine.
  [[nodiscard]] int port(Port port) const { return ports_[static_cast<size_t>(port)].get(); }
  // What QEMU itself writes: a pipe, which does not block.
  [[nodiscard]] int words() const { return words_.get(); }
  void stop() const;
  void go_on() const;
  // Kills it if it runs, and waits for it: its status as waitpid(2) has it.
  int end();
  // Waits for the end of a machine that has closed its ports.
  int wait();

 private:
  Machine() = default;

  pid_t pid_ = 0;
  std::array<pip::HostFd, static_cast<size_t>(Port::count)> ports_{};
  pip::HostFd input_, output_, words_;
};

}  // namespace osp::tools
