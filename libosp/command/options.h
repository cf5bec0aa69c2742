#pragma once

#include <expected>
#include <string>
#include <vector>

#include "libosp/host/boot.h"

// osp-run's command line, parsed by hand: CLI11 costs 140 µs of each start (0.57 ms with it, 0.43 without,
// measured as spawn and wait of a static executable), nearly the whole start-up of a small program (155 µs).
namespace osp::command {

// -e and -u, in the order given: "VAR=VALUE" sets, "VAR" with `unset` removes.
struct EnvironmentChange {
  const char* text;
  bool unset;
};

// All strings are argv's.
struct RunOptions {
  std::vector<host::NamespaceOption> names;
  std::vector<EnvironmentChange> environment;
  const char* change_directory = nullptr;
  const char* trace = nullptr;  // as in BootBlock
  const char* root = nullptr;
  size_t root_place = 0;  // which of `names` is to become the commands for it
  bool bare_root = false;
  bool help = false;
  bool version = false;
  char** program = nullptr;  // the program's argv: the rest of ours, not empty unless help, version or root
};

// Parses `argv`, which ends with a null pointer, from its second element up to the first that is no option, or
// past "--". The error is one line that says what is wrong and how to mend it.
std::expected<RunOptions, std::string> parse_run_options(char** argv);

// The environment for the program: `envp` with the changes made, ended by a null pointer. The strings are
// borrowed. The error names a variable that -e VAR should pass on but that is not set.
std::expected<std::vector<const char*>, std::string> changed_environment(const char* const* envp,
                                                                         const std::vector<EnvironmentChange>& changes);

}  // namespace osp::command
