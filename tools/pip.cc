// pip: a plain client of πp servers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "base/log.h"
#include "tools/pip_commands.h"
#include "tools/pip_store.h"

namespace osp::piptool {
namespace {

constexpr int status_usage = 2;

struct Command {
  const char* name;
  const char* help;
  const char* operands;
  int least;  // operands
  int most;   // -1: any number
  int (*run)(const Options&);
};

constexpr Command commands[] = {
    {"ls", "List directories, with their entries' attributes", "URL", 1, -1, list},
    {"cat", "Write files to standard output", "URL", 1, -1, cat},
    {"cp", "Copy files between servers and this machine", "FROM... TO", 2, -1, copy},
    {"stat", "Show a file's attributes", "URL", 1, -1, stat},
    {"tree", "Show everything below a directory", "URL", 1, -1, tree},
    {"rm", "Remove files", "URL", 1, -1, remove},
    {"mkdir", "Make directories", "URL", 1, -1, make_directory},
    {"mv", "Rename or move a file within its server", "FROM TO", 2, 2, move},
    {"write", "Write standard input into a file", "URL", 1, 1, write},
    {"versions", "List the versions of files in a store", "URL", 1, -1, versions},
    {"diff", "Show what changed from a version of a file to another, or to now", "URL VERSION [VERSION]", 2, 3, diff},
    {"restore", "Make a version of a file its newest again", "URL VERSION", 2, 2, restore},
};

void add_flags(CLI::App& sub, std::string_view name, Options& options) {
  if (name == "ls" || name == "stat" || name == "versions") sub.add_flag("--json", options.json, "Print JSON");
  if (name == "ls") sub.add_flag("-l,--long", options.long_form, "One line a file with its attributes");
  if (name == "cp" || name == "rm")
    sub.add_flag("-r,--recursive", options.recursive, "Directories with all below them");
  if (name == "rm") sub.add_flag("-d,--dir", options.directory, "Remove an empty directory");
  if (name == "mkdir")
    sub.add_flag("-p,--parents", options.parents, "Make those on the way too; existing ones are fine");
  if (name == "write") sub.add_flag("-a,--append", options.append, "Append instead of replacing");
  if (name == "cat") sub.add_option("--version", options.version, "This version of each file")->type_name("N");
  if (name == "ls" || name == "cat" || name == "stat" || name == "tree" || name == "cp")
    sub.add_option("--at", options.at, "As it was then, of a store: 2026-10-01, '2026-10-01 12:30', or seconds")
        ->type_name("TIME");
  if (name == "tree") sub.add_option("--depth", options.depth, "Go down so many directories")->type_name("N");
}

}  // namespace
}  // namespace osp::piptool

int main(int argc, char** argv) {
  using namespace osp;
  CLI::App app(
      "A client for files served over πp.\nURLs: pip://HOST[:PORT]/PATH, pip+udp://HOST[:PORT]/PATH, "
      "pip+unix:///SOCKET!/PATH");
  app.set_version_flag("--version", fmt::format("pip {}", OSP_VERSION));
  app.require_subcommand(1);
  piptool::Options options;
  unsigned give_up_s = 0;
  app.add_option("--timeout", give_up_s, "Give up after so long without any answer (default: never)")
      ->type_name("SECONDS");
  int status = EXIT_SUCCESS;
  for (const piptool::Command& command : piptool::commands) {
    CLI::App* const sub = app.add_subcommand(command.name, command.help);
    sub->add_option("names", options.names, command.operands)->required()->expected(command.least, command.most);
    sub->fallthrough();
    piptool::add_flags(*sub, command.name, options);
    sub->callback([&, run = command.run] {
      options.give_up_after = std::chrono::seconds(give_up_s);
      status = run(options);
    });
  }
  piptool::add_store_commands(app, status);
  if (const char* spec = getenv("OSP_LOG")) log::configure(spec);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11's way of reporting
    return app.exit(error) == 0 ? EXIT_SUCCESS : piptool::status_usage;
  }
  return status;
}
