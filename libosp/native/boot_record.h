#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libosp/host/boot.h"
#include "libosp/load/refusal.h"

// What osp-boot tells the core that boots natively: the file `boot` of the boot archive. It is text, `key=value`, each
// ended by a NUL; the first is the version.
//
// While the program runs, the two go on speaking by lines on the second serial port. From the core:
//   ready          both ports are served from now on; osp-boot sends nothing before, since what a serial port holds is
//                  lost when its driver begins
//   stop           the program was stopped from the terminal (SIGTSTP); osp-boot stops too, and sends
//                  "signal 18" (SIGCONT) when it goes on
// From osp-boot:
//   eof COUNT      no more comes on the first port than the COUNT bytes since the start
//   signal N       for the program, as kill(2) of its process group
//   size ROWS COLUMNS
//   closed         nobody reads the first port any more: a write to it is EPIPE
//   tasks          the task table is to be written to the console (host::write_console)
namespace osp::native {

// Where bytes of a trace go that osp-boot keeps in a file: QEMU's debug console.
inline constexpr uint16_t trace_port = 0xeb;

struct BootRecord {
  static constexpr unsigned version = 1;

  // One option that shapes the name space. Of a file: its commands, variables and included files resolved, each on the
  // line that it had in `name`.
  struct NameOption {
    host::NamespaceOption::Kind kind = host::NamespaceOption::Kind::bind;
    std::string text;
    std::string name{};  // of a file only
    friend bool operator==(const NameOption&, const NameOption&) = default;
  };

  std::string program;                   // a path, or a word to be searched in PATH
  std::vector<std::string> arguments;    // argv, the name first
  std::vector<std::string> environment;  // VAR=VALUE
  std::string directory = "/";           // where it begins; absolute
  std::vector<NameOption> names;         // in the order given
  std::optional<std::string> trace;      // "": stderr; else a file of osp-boot's, behind trace_port
  std::string hostname = "osprey";
  uint32_t umask = 022;
  uint32_t uid = 0, gid = 0;
  std::array<bool, 3> terminal{};    // which of fds 0, 1, 2 are osp-boot's terminal
  unsigned rows = 24, columns = 80;  // of the terminal

  // Whether the first serial port is a terminal, whose line discipline is the core's, so that osp-boot passes every key
  // as it is. Else it carries plain bytes: the program's standard input and output.
  [[nodiscard]] bool has_terminal() const { return terminal[0] && terminal[1]; }

  friend bool operator==(const BootRecord&, const BootRecord&) = default;

  // EINVAL, with the field: a string holds a NUL, or decode() would refuse what it gives.
  [[nodiscard]] load::Outcome<std::vector<std::byte>> encode() const;
  // Any bytes are safe. EPROTONOSUPPORT: of another version; EBADMSG: the reason says which key.
  static load::Outcome<BootRecord> decode(std::span<const std::byte> bytes);
};

}  // namespace osp::native
