#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libosp/command/options.h"
#include "libosp/native/boot_record.h"
#include "tools/osp_boot_cpio.h"

namespace osp::tools {

struct BootOptions {
  std::vector<native::BootRecord::NameOption> names;  // of a file, `name` is its path and `text` not yet read
  std::list<std::string> words;                       // what `environment` refers to
  std::vector<command::EnvironmentChange> environment;
  std::string directory;             // --chdir; empty: not given
  std::optional<std::string> trace;  // as in BootRecord
  std::string root;                  // --root; empty: not given
  std::vector<std::string> add;
  uint64_t memory = 0;  // bytes; 0: not given
  unsigned processors = 1;
  std::string machine = "microvm";
  std::vector<std::string> qemu_arguments;  // --qemu-arg
  double timeout_s = 0;                     // 0: none
  bool print_command = false;
  std::vector<std::string> program;  // its argv, not empty
};

// Reads the command line. The alternative is the status to end with at once: help was asked for, or something is wrong
// and has been said.
std::variant<BootOptions, int> parse_boot_options(int argc, char** argv);

// The record for the core: options, environment `envp`, and what osp-boot's own terminal and process are like.
// `program` is where the program was found; name space files are read. Errors name the option, or the file and the
// place.
BootResult<native::BootRecord> make_record(const BootOptions& options, const std::string& program,
                                           const std::vector<std::string>& environment);

// The environment of the program.
BootResult<std::vector<std::string>> make_environment(const BootOptions& options, const char* const* envp);

}  // namespace osp::tools
