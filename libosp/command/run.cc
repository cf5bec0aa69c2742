// osp-run: starts a program in Osprey. By hand and without iostreams: it runs before each program.
#include "libosp/command/run.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "libosp/command/companion.h"
#include "libosp/command/options.h"
#include "libosp/command/root.h"
#include "libosp/host/host.h"

namespace osp::command {
namespace {

constexpr int status_failed = 125;  // as env(1); the core gives 126 and 127

constexpr std::string_view help_text =
    R"(Usage: osp-run [OPTION…] [--] PROG [ARG…]
       osp-run --root IMAGE [OPTION…]
Runs PROG in a process of Osprey: with a name space of its own, and ready to be checkpointed.

Options end at PROG; those that shape the name space take effect in the order given:
  --ns FILE        the commands of a name space file
  -m URL=PATH      mounts a πp tree, such as pip://HOST[:PORT]/TREE
  -b OLD=NEW       makes what is at OLD appear at NEW as well
  --root DIR|URL|ARCHIVE  what PROG finds at /: a directory, a πp tree, a tar of a root, or an image archive of
                   OCI or docker-save; the host's /proc, /dev, /sys, /tmp and /etc/resolv.conf stay
  --bare-root      with --root: nothing of the host stays
  -e VAR=VALUE     sets a variable of PROG's environment; -e VAR passes it on, and it must be set
  -u VAR           removes a variable from it
  --chdir DIR      starts PROG in DIR, as its name space has it
  --trace[=FILE]   writes each system call, decoded, to FILE or stderr
  --threads=fibers how PROG's threads run: as fibers of the core (the default)
  --help           shows this
  --version        shows the version

Exit status: PROG's; 125 if osp-run fails, 126 if PROG cannot be run, 127 if it is not found.
OSP_LOG=LEVEL[,AREA=LEVEL…] (error warn info debug trace) says what Osprey reports on stderr.
)";

void put(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

[[noreturn]] void fail(const std::string& text) {
  put(STDERR_FILENO, "osp-run: " + text + "\n");
  host::end(status_failed);
}

[[noreturn]] void tell(std::string_view text) {
  put(STDOUT_FILENO, text);
  host::end(EXIT_SUCCESS);
}

// What --root changes in the options: the name space, the environment, where the program starts, and perhaps which it
// is. The strings are `root`'s.
void apply_root(RunOptions& options, Root& root, std::vector<char*>& program) {
  options.names[options.root_place].text = root.commands.c_str();
  std::vector<EnvironmentChange> changes;
  for (const std::string& variable : root.start.environment)
    if (variable.find('=', 1) != std::string::npos) changes.push_back({variable.c_str(), false});
  options.environment.insert(options.environment.begin(), changes.begin(), changes.end());
  if (root.start.directory.empty()) root.start.directory = std::string("/");
  if (options.change_directory != nullptr && *options.change_directory != '/')
    root.start.directory.append("/").append(options.change_directory);
  if (options.change_directory == nullptr || *options.change_directory != '/')
    options.change_directory = root.start.directory.c_str();
  if (options.program[0] != nullptr || root.start.program.empty()) return;
  for (std::string& word : root.start.program) program.push_back(word.data());
  program.push_back(nullptr);
  options.program = program.data();
}

template <typename Value>
Value value_of(std::expected<Value, std::string> result) {
  if (!result) fail(result.error());
  return std::move(*result);
}

// What the block borrows.
struct Command {
  RunOptions options;
  std::string core;
  Root root;
  std::vector<char*> image_program;
  std::vector<const char*> environment;
  host::BootBlock block;
};

void read_root(Command& command, char* const* envp) {
  RunOptions& options = command.options;
  auto root = find_root(options.root, options.bare_root, companion(command.core, "osp-unpack"), envp);
  if (!root && root.error().empty()) host::end(status_failed);  // the unpacker has said why
  command.root = value_of(std::move(root));
  apply_root(options, command.root, command.image_program);
  if (options.program[0] == nullptr) fail("no program is given, and the root names none");
}

}  // namespace

const host::BootBlock& read_command(const host::EntryStack& entry) {
  Command& command = *new Command;  // as long as the process: until the program begins nothing could take it back
  RunOptions& options = command.options = value_of(parse_run_options(entry.argv));
  if (options.help) tell(help_text);
  if (options.version) tell("osp-run " OSP_VERSION "\n");
  command.core = find_core();
  if (options.root != nullptr) read_root(command, entry.envp);
  command.environment = value_of(changed_environment(entry.envp, options.environment));
  command.block = {.door = host::Door::run,
                   .core_path = command.core.c_str(),
                   .program = options.program[0],
                   .argv = options.program,
                   .envp = command.environment.data(),
                   .auxv = entry.auxv,
                   .options = options.names.data(),
                   .option_count = options.names.size(),
                   .trace = options.trace,
                   .change_directory = options.change_directory};
  return command.block;
}

}  // namespace osp::command
