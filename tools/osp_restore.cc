#include "tools/osp_restore.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>

#include "libosp/command/companion.h"
#include "libosp/host/entry_stack.h"
#include "tools/start_core.h"

namespace osp::tools {
namespace {

constexpr int status_failed = 125;

struct Options {
  std::string file;
  uint32_t changed_files = 0;  // migrate::ChangedFiles
  bool trace = false;
};

int run(const Options& options) {
  const std::string core = command::find_core();
  host::BootBlock block;
  block.door = host::Door::restore;
  block.core_path = core.c_str();
  block.envp = environ;
  block.auxv = host::aux_vector(environ);
  block.image = options.file.c_str();
  block.changed_files = options.changed_files;
  block.trace = options.trace ? "" : nullptr;
  fmt::print(stderr, "osp: restore: {}\n", enter_core(block));
  return status_failed;
}

}  // namespace

void add_restore_command(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("restore", "Become the process of an image, where it stopped");
  command->add_option("file", options->file, "The image")->required();
  const std::map<std::string, uint32_t> policies = {{"keep", 0}, {"refuse", 1}, {"truncate", 2}};
  command
      ->add_option("--files", options->changed_files,
                   "What to do with open files that have changed since: keep, refuse, truncate")
      ->transform(CLI::CheckedTransformer(policies));
  command->add_flag("--trace", options->trace, "Write each system call, decoded, to stderr");
  command->callback([options, &status] { status = run(*options); });
}

}  // namespace osp::tools
