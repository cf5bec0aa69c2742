// osp: looks at environments and images, keeps keys, and mounts trees.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/log.h"
#include "tools/mount/osp_mount.h"
#include "tools/osp_agent.h"
#include "tools/osp_checkpoint.h"
#include "tools/osp_image.h"
#include "tools/osp_key.h"
#include "tools/osp_ps.h"
#include "tools/osp_restore.h"

namespace {
constexpr int status_usage = 2;
}  // namespace

int main(int argc, char** argv) {
  if (const char* spec = getenv("OSP_LOG")) osp::log::configure(spec);
  CLI::App app("Looks at Osprey's environments and images, keeps keys, and mounts trees.");
  app.set_version_flag("--version", fmt::format("osp {}", OSP_VERSION));
  app.require_subcommand(1);
  int status = EXIT_SUCCESS;
  osp::tools::add_process_commands(app, status);
  osp::tools::add_checkpoint_command(app, status);
  osp::tools::add_restore_command(app, status);
  osp::tools::add_image_command(app, status);
  osp::tools::add_key_commands(app, status);
  osp::tools::add_agent_command(app, status);
  osp::fuse::add_mount_commands(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11's way of reporting
    return app.exit(error) == 0 ? EXIT_SUCCESS : status_usage;
  }
  return status;
}
