// osp-boot: boots the microkernel in QEMU, to run a program there.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "tools/osp_boot_machine.h"
#include "tools/osp_boot_options.h"
#include "tools/osp_boot_pack.h"
#include "tools/osp_boot_session.h"
#include "tools/osp_boot_terminal.h"

namespace osp::tools {
namespace {

constexpr int status_failed = 125, status_timed_out = 124;
constexpr uint64_t mebibyte = 1 << 20;
// Beside the archive, for the kernel, the core and a small program.
constexpr uint64_t memory_least = 4 * mebibyte;
// What QEMU passes to a kernel, by its own limit.
constexpr uint64_t archive_max = 890 * mebibyte;

int complain(const std::string& text, int status = status_failed) {
  fmt::print(stderr, "osp-boot: {}\n", text);
  return status;
}

uint64_t in_mebibytes(uint64_t size) { return (size + mebibyte - 1) / mebibyte; }

// The memory for the machine, or why there is too little.
BootResult<uint64_t> memory_for(uint64_t archive, uint64_t unpacked, uint64_t wanted) {
  constexpr uint64_t ample = 256 * mebibyte;
  if (archive > archive_max)
    return std::unexpected(
        fmt::format("the boot archive has {} MiB, and QEMU passes {} at most; compress it: give --root a "
                    "cpio archive compressed by zstd, or pack less",
                    in_mebibytes(archive), archive_max / mebibyte));
  if (wanted == 0) return ample + in_mebibytes(2 * archive + unpacked) * mebibyte;
  const uint64_t least = archive + memory_least;
  if (wanted < least)
    return std::unexpected(fmt::format("--memory: {} MiB are too few: the boot archive alone has {}; give at least {}M",
                                       wanted / mebibyte, in_mebibytes(archive), in_mebibytes(least)));
  return wanted;
}

std::string ending_of(int status) {
  if (WIFSIGNALED(status)) return fmt::format("QEMU was killed by signal {}", WTERMSIG(status));
  return fmt::format("QEMU ended with status {}", WEXITSTATUS(status));
}

int report(const SessionEnd& end, int qemu_status, double timeout_s) {
  if (end.status) return *end.status;
  if (end.timed_out)
    return complain(fmt::format("the machine was ended after {} s (--timeout)", timeout_s), status_timed_out);
  if (end.ended_by != 0)
    return complain(fmt::format("the machine was ended: SIG{} came twice within 5 s", sigabbrev_np(end.ended_by)),
                    128 + end.ended_by);
  if (!end.failure.empty())
    return complain(
        fmt::format("the machine failed: {}; {}", end.failure,
                    end.failure.ends_with("no memory left") ? "give it more (--memory)" : "what it said stands above"));
  std::string words = end.words;
  while (words.ends_with('\n')) words.pop_back();
  return complain(fmt::format("the machine ended before the program did: {}{}{}", ending_of(qemu_status),
                              words.empty() ? "" : ", and said: ", words));
}

int boot(const MachineOptions& options, double timeout_s) {
  Session::block_signals();
  RawTerminal terminal(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1);
  auto machine = Machine::start(options);
  if (!machine) return complain(machine.error());
  Session session(*machine, terminal, isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1);
  const SessionEnd end = session.run(timeout_s);
  const bool runs = end.timed_out || end.ended_by != 0;
  const int status = runs ? machine->end() : machine->wait();
  terminal.restore();
  return report(end, status, timeout_s);
}

// The file that takes the trace: open, so that what is wrong with it is said before the machine starts. -1: none.
BootResult<pip::HostFd> open_trace(const BootOptions& options) {
  if (options.trace.value_or("").empty()) return pip::HostFd();
  pip::HostFd fd(open(options.trace->c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666));  // QEMU inherits it
  if (fd.get() < 0) return std::unexpected(fmt::format("--trace: {}: {}", *options.trace, strerror(errno)));
  return fd;
}

int run(int argc, char** argv) {
  const auto parsed = parse_boot_options(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const auto& options = std::get<BootOptions>(parsed);
  MachineOptions machine{.machine = options.machine,
                         .kernel = library_folder() + "/osp-kernel.elf",
                         .processors = options.processors,
                         .more = options.qemu_arguments};
  if (access(machine.kernel.c_str(), R_OK) != 0)
    return complain(fmt::format("cannot read the kernel '{}': {}; it belongs in lib beside the bin that holds osp-boot",
                                machine.kernel, strerror(errno)));
  const auto trace = open_trace(options);
  if (!trace) return complain(trace.error());
  const auto archive = pack_boot_archive(options, environ);
  if (!archive) return complain(archive.error().text, archive.error().status);
  const auto memory = memory_for(archive->size, archive->unpacked, options.memory);
  if (!memory) {
    if (options.print_command) unlink(archive->path.c_str());
    return complain(memory.error());
  }
  machine.memory = *memory;
  machine.archive = archive->path;
  if (trace->get() >= 0)
    machine.trace = options.print_command ? std::filesystem::absolute(*options.trace).string()
                                          : fmt::format("/dev/fd/{}", trace->get());
  if (!options.print_command) return boot(machine, options.timeout_s);
  fmt::print("{}\n", command_by_hand(machine));
  fmt::print(stderr, "osp-boot: the boot archive stays at {}; remove it when you are done\n", archive->path);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace osp::tools

int main(int argc, char** argv) {
  if (const char* spec = getenv("OSP_LOG")) osp::log::configure(spec);
  return osp::tools::run(argc, argv);
}
