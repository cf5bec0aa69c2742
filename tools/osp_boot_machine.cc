#include "tools/osp_boot_machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "libosp/native/boot_record.h"

namespace osp::tools {
namespace {

constexpr const char* qemu = "qemu-system-x86_64";
constexpr uint64_t mebibyte = 1 << 20;
constexpr size_t port_count = static_cast<size_t>(Port::count);
constexpr std::array<const char*, port_count> port_names = {"orders", "console", "status"};
constexpr const char* terminal = "stdio,id=terminal,signal=off";

// The other ends, which are the machine's.
struct Ends {
  std::array<pip::HostFd, port_count> ports;
  pip::HostFd input, output, words;
};

// The option's value, for which a comma is written twice.
std::string escaped(const std::string& path) {
  std::string text;
  for (const char c : path) text += c == ',' ? std::string(",,") : std::string(1, c);
  return text;
}

// A child of ours between fork and exec: only what signal-safety(7) allows.
[[noreturn]] void become_qemu(char* const* argv, const Ends& ends, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  for (const pip::HostFd& end : ends.ports) fcntl(end.get(), F_SETFD, 0);
  dup2(ends.input.get(), STDIN_FILENO);
  dup2(ends.output.get(), STDOUT_FILENO);
  dup2(ends.words.get(), STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execvp(argv[0], argv);
  _exit(errno == ENOENT ? 127 : 126);
}

// `ours` does not block.
bool make_pipe(pip::HostFd& reader, pip::HostFd& writer, const pip::HostFd& ours) {
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) return false;
  reader = pip::HostFd(pipe[0]);
  writer = pip::HostFd(pipe[1]);
  return fcntl(ours.get(), F_SETFL, O_NONBLOCK) == 0;
}

std::string quoted(const std::string& word) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+./:,=@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string text = "'";
  for (const char c : word) c == '\'' ? text += "'\\''" : text += c;
  return text + "'";
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return argv;
}

bool is_in_path(const char* program) {
  const char* path = getenv("PATH");
  const std::string directories = path != nullptr ? path : "/bin:/usr/bin";
  for (size_t begin = 0; begin <= directories.size();) {
    const size_t end = std::min(directories.find(':', begin), directories.size());
    const std::string file = (end == begin ? "." : directories.substr(begin, end - begin)) + "/" + program;
    if (access(file.c_str(), X_OK) == 0) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

std::vector<std::string> machine_command(const MachineOptions& options) {
  const bool micro = options.machine == "microvm";
  std::vector<std::string> words = {
      qemu, "-M", micro ? "microvm,rtc=on,pit=on,pic=on,isa-serial=off,auto-kernel-cmdline=off" : "q35",
      // Without hardware's help: so it runs everywhere, and as the kernel's instructions were counted.
      "-accel", "tcg", "-cpu", "max", "-smp", std::to_string(options.processors),  //
      "-m", fmt::format("{}M", (options.memory + mebibyte - 1) / mebibyte),        //
      "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",          //
      "-kernel", options.kernel, "-initrd", options.archive,                       //
      "-device", "isa-serial,iobase=0x3f8,irq=4,chardev=terminal",                 //
      "-device", "isa-serial,iobase=0x2f8,irq=3,chardev=orders",                   //
      "-device", "isa-debugcon,iobase=0xe9,chardev=console",                       //
      "-device", "isa-debugcon,iobase=0xea,chardev=status",                        //
      "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"};
  if (!options.trace.empty())
    words.insert(words.end(), {"-chardev", fmt::format("file,id=trace,path={}", escaped(options.trace)), "-device",
                               fmt::format("isa-debugcon,iobase={:#x},chardev=trace", native::trace_port)});
  words.insert(words.end(), options.more.begin(), options.more.end());
  return words;
}

std::string command_by_hand(const MachineOptions& options) {
  std::vector<std::string> words = machine_command(options);
  for (const char* chardev : {terminal, "null,id=orders", "file,id=console,path=/dev/stderr,append=on",
                              "file,id=status,path=/dev/stderr,append=on"})
    words.insert(words.end(), {"-chardev", chardev});
  for (std::string& word : words) word = quoted(word);
  return fmt::format("{}", fmt::join(words, " "));
}

BootResult<Machine> Machine::start(const MachineOptions& options) {
  if (!is_in_path(qemu))
    return std::unexpected(
        fmt::format("{} is not found in PATH; install it (Debian's package: qemu-system-x86)", qemu));
  Machine machine;
  std::vector<std::string> words = machine_command(options);
  Ends ends;
  const auto failed = [](const char* what) { return std::unexpected(fmt::format("{}: {}", what, strerror(errno))); };
  words.insert(words.end(), {"-chardev", terminal});
  for (size_t i = 0; i < port_count; ++i) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return failed("cannot make a port");
    machine.ports_[i] = pip::HostFd(pair[0]);
    ends.ports[i] = pip::HostFd(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    words.insert(words.end(), {"-chardev", fmt::format("socket,id={},fd={}", port_names[i], pair[1])});
  }
  if (!make_pipe(ends.input, machine.input_, machine.input_) ||
      !make_pipe(machine.output_, ends.output, machine.output_) ||
      !make_pipe(machine.words_, ends.words, machine.words_))
    return failed("cannot make a pipe");
  const std::vector<char*> argv = pointers(words);
  const pid_t self = getpid();
  machine.pid_ = fork();
  if (machine.pid_ < 0) return failed("cannot start QEMU");
  if (machine.pid_ == 0) become_qemu(argv.data(), ends, self);
  return machine;
}

void Machine::stop() const { kill(pid_, SIGSTOP); }

void Machine::go_on() const { kill(pid_, SIGCONT); }

int Machine::end() {
  if (pid_ > 0) kill(pid_, SIGKILL);
  return wait();
}

int Machine::wait() {
  if (pid_ <= 0) return 0;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  return status;
}

}  // namespace osp::tools
