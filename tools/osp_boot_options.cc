#include "tools/osp_boot_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>

namespace osp::tools {
namespace {

using Kind = host::NamespaceOption::Kind;

constexpr int status_failed = 125;
constexpr unsigned processors_max = 64;

bool is_pair(const std::string& text) {
  const size_t sign = text.rfind('=');
  return sign != std::string::npos && sign != 0 && sign != text.size() - 1;
}

// Options that shape the name space or the environment take effect in the order given, so each is taken as it comes.
void add_ordered(CLI::App& app, const std::string& name, const char* type, const char* help,
                 const std::function<void(const std::string&)>& take) {
  app.add_option_function<std::string>(name, take, help)
      ->type_name(type)
      ->trigger_on_parse()
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void add_names(CLI::App& app, BootOptions& options) {
  const auto pair = [&options](Kind kind, const char* form) {
    return [&options, kind, form](const std::string& text) {
      if (!is_pair(text)) throw CLI::ValidationError(form);  // CLI11's way
      options.names.push_back({kind, text});
    };
  };
  add_ordered(app, "--ns", "FILE", "The commands of a name space file", [&options](const std::string& path) {
    options.names.push_back({Kind::file, {}, path});
  });
  add_ordered(app, "-m", "URL=PATH", "Mount a πp tree",
              pair(Kind::mount, "-m: the form is URL=PATH, such as pip://192.0.2.1/src=/mnt/src"));
  add_ordered(app, "-b", "OLD=NEW", "Make what is at OLD appear at NEW as well",
              pair(Kind::bind, "-b: the form is OLD=NEW, such as /opt/tools=/usr/local"));
}

void add_environment(CLI::App& app, BootOptions& options) {
  add_ordered(app, "-e", "VAR=VALUE", "Set a variable of PROG's environment; -e VAR passes it on, and it must be set",
              [&options](const std::string& text) {
                if (text.empty() || text[0] == '=')
                  throw CLI::ValidationError("-e: the form is VAR=VALUE, or VAR to pass it on");
                options.environment.push_back({options.words.emplace_back(text).c_str(), false});
              });
  add_ordered(app, "-u", "VAR", "Remove a variable from it", [&options](const std::string& text) {
    if (text.empty() || text.find('=') != std::string::npos)
      throw CLI::ValidationError("-u: give the name of a variable");
    options.environment.push_back({options.words.emplace_back(text).c_str(), true});
  });
  app.add_option("--chdir", options.directory, "Start PROG in DIR, as its name space has it")->type_name("DIR");
  app.add_option_function<std::string>(
         "--trace", [&options](const std::string& file) { options.trace = file; },
         "Write each system call, decoded, to FILE or stderr")
      ->type_name("[=FILE]")
      ->expected(0, 1);
}

void add_machine(CLI::App& app, BootOptions& options) {
  app.add_option("--root", options.root, "What PROG finds at /: a directory, or a cpio archive, plain or by zstd")
      ->type_name("DIR|ARCHIVE");
  app.add_option("--add", options.add,
                 "Without --root: a further file, with the libraries that it needs, or directory; may be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("--memory", options.memory,
                 "The machine's memory, such as 64M or 1G (default: what the archive needs)")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false))
      ->option_text("SIZE");
  app.add_option("--smp", options.processors, "The machine's processors")
      ->type_name("N")
      ->check(CLI::Range(1U, processors_max))
      ->capture_default_str();
  app.add_option("--machine", options.machine, "QEMU's machine: microvm, which starts soonest, or q35")
      ->type_name("NAME")
      ->check(CLI::IsMember({"microvm", "q35"}))
      ->capture_default_str();
  app.add_option(
         "--qemu-arg", options.qemu_arguments,
         "A further argument for QEMU, at its end, such as --qemu-arg=-icount --qemu-arg=shift=0; may be repeated")
      ->type_name("ARG")
      ->allow_extra_args(false);
  app.add_option("--timeout", options.timeout_s, "End the machine after so long; the status is 124 then")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
  app.add_flag("--print-command", options.print_command, "Print the QEMU command that does it, and keep its files");
}

// Where the program's words begin: behind the options and their values.
int program_at(const CLI::App& app, int argc, char** argv) {
  int at = 1;
  while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0') {
    const std::string word = argv[at++];
    if (word == "--") break;
    const bool is_long = word.starts_with("--");
    const std::string name = is_long ? word.substr(0, word.find('=')) : word.substr(0, 2);
    const CLI::Option* option = app.get_option_no_throw(name);
    const bool has_value = is_long ? name.size() != word.size() : word.size() > 2;
    if (option != nullptr && !has_value && option->get_items_expected_min() > 0) ++at;
  }
  return std::min(at, argc);
}

int complain(const std::string& text) {
  fmt::print(stderr, "osp-boot: {}\n", text);
  return status_failed;
}

// What is wrong with the options together; empty: nothing.
std::string fault_of(const BootOptions& options) {
  if (options.program.empty()) return "no program is given; the form is osp-boot [OPTION…] [--] PROG [ARG…]";
  if (!options.root.empty() && !options.add.empty())
    return "--add: not with --root, which is all that the program finds; put it there";
  return {};
}

}  // namespace

std::variant<BootOptions, int> parse_boot_options(int argc, char** argv) {
  CLI::App app("Boots the microkernel in QEMU and runs PROG there, with no Linux below it.", "osp-boot");
  app.footer(
      "The form is osp-boot [OPTION…] [--] PROG [ARG…]; options end at PROG.\n"
      "Without --root, PROG is packed from this host with the libraries that it needs.\n"
      "Exit status: PROG's; 124 at --timeout, 125 if osp-boot or the machine fails, 126 if PROG cannot be run,\n"
      "127 if it is not found.");
  BootOptions options;
  app.set_help_flag("--help", "Show this");
  app.set_version_flag("--version", fmt::format("osp-boot {}", OSP_VERSION), "Show the version");
  add_names(app, options);
  add_environment(app, options);
  add_machine(app, options);
  const int program = program_at(app, argc, argv);
  int end = program;
  if (end > 1 && std::string_view(argv[end - 1]) == "--") --end;
  std::vector<std::string> words(argv + 1, argv + end);
  std::ranges::reverse(words);
  try {
    app.parse(words);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {  // CLI11's way of reporting
    return complain(std::string(error.what()) + "; see osp-boot --help");
  }
  options.program.assign(argv + program, argv + argc);
  if (const std::string fault = fault_of(options); !fault.empty()) return complain(fault);
  return options;
}

}  // namespace osp::tools
