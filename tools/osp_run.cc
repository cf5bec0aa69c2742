// osp-run: starts a program in Osprey. Static, without PIE and without iostreams: it runs before each program.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "tools/root_option.h"
#include "tools/run_options.h"
#include "tools/start_core.h"

extern const char __executable_start;  // ld(1): with the heap behind it, all of this command's memory but its stack

namespace osp::tools {
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

int complain(const std::string& text) {
  put(STDERR_FILENO, "osp-run: " + text + "\n");
  return status_failed;
}

// What --root changes in the options: the name space, the environment, where the program starts, and perhaps which it
// is. The strings are `root`'s.
void apply_root(RunOptions& options, Root& root, std::vector<char*>& program) {
  options.names[options.root_place].text = root.commands.c_str();
  std::vector<EnvironmentChange> changes;
  for (const std::string& variable : root.start.environment)
    if (variable.find('=', 1) != std::string::npos) changes.push_back({variable.c_str(), false});
  options.environment.insert(options.environment.begin(), changes.begin(), changes.end());
  if (root.start.directory.empty()) root.start.directory = "/";
  if (options.change_directory != nullptr && *options.change_directory != '/')
    root.start.directory.append("/").append(options.change_directory);
  if (options.change_directory == nullptr || *options.change_directory != '/')
    options.change_directory = root.start.directory.c_str();
  if (options.program[0] != nullptr || root.start.program.empty()) return;
  for (std::string& word : root.start.program) program.push_back(word.data());
  program.push_back(nullptr);
  options.program = program.data();
}

// Where a companion of the core's is, by the place that find_core() gives.
std::string companion(const std::string& core, std::string_view name) {
  const size_t lib = core.rfind("/lib/");
  return lib == std::string::npos ? std::string() : core.substr(0, lib) + "/bin/" + std::string(name);
}

int run(char** argv, char** envp) {
  auto options = parse_run_options(argv);
  if (!options) return complain(options.error());
  if (options->help) return put(STDOUT_FILENO, help_text), EXIT_SUCCESS;
  if (options->version) return put(STDOUT_FILENO, "osp-run " OSP_VERSION "\n"), EXIT_SUCCESS;
  if (host::core_is_here()) return complain("this process is in Osprey already; run the program without osp-run");
  const std::string core = find_core();
  std::expected<Root, std::string> root;
  std::vector<char*> image_program;
  if (options->root != nullptr) {
    root = find_root(options->root, options->bare_root, companion(core, "osp-unpack"));
    if (!root) return root.error().empty() ? status_failed : complain(root.error());
    apply_root(*options, *root, image_program);
    if (options->program[0] == nullptr) return complain("no program is given, and the root names none");
  }
  const auto environment = changed_environment(envp, options->environment);
  if (!environment) return complain(environment.error());
  const host::BootBlock block{.door = host::Door::run,
                              .core_path = core.c_str(),
                              .program = options->program[0],
                              .argv = options->program,
                              .envp = environment->data(),
                              .auxv = aux_vector(envp),
                              .options = options->names.data(),
                              .option_count = options->names.size(),
                              .trace = options->trace,
                              .change_directory = options->change_directory,
                              .door_start = reinterpret_cast<uint64_t>(&__executable_start),
                              .door_end = reinterpret_cast<uint64_t>(sbrk(0))};
  return complain(enter_core(block));
}

}  // namespace
}  // namespace osp::tools

int main(int, char** argv, char** envp) { return osp::tools::run(argv, envp); }
