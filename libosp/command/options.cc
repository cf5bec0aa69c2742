#include "libosp/command/options.h"

#include <cstring>
#include <string_view>

namespace osp::command {
namespace {

using host::NamespaceOption;
using Outcome = std::expected<void, std::string>;

enum class Takes { nothing, value, optional_value };

struct Option {
  std::string_view name;
  Takes takes;
  Outcome (*apply)(RunOptions&, const char* value);
};

std::unexpected<std::string> wrong(std::string_view option, const char* value, std::string_view why) {
  std::string text(option);
  if (value != nullptr) text.append(" '").append(value).append("'");
  return std::unexpected(text.append(": ").append(why));
}

// Whether `text` is LEFT=RIGHT with neither side empty; the last '=' parts them, since URLs may hold some.
bool is_pair(const char* text) {
  const char* sign = strrchr(text, '=');
  return sign != nullptr && sign != text && sign[1] != '\0';
}

Outcome add_file(RunOptions& options, const char* value) {
  if (*value == '\0') return wrong("--ns", value, "give the path of a name space file");
  options.names.push_back({NamespaceOption::Kind::file, value});
  return {};
}

Outcome add_mount(RunOptions& options, const char* value) {
  if (!is_pair(value)) return wrong("-m", value, "the form is URL=PATH, such as pip://192.0.2.1/src=/mnt/src");
  options.names.push_back({NamespaceOption::Kind::mount, value});
  return {};
}

Outcome add_bind(RunOptions& options, const char* value) {
  if (!is_pair(value)) return wrong("-b", value, "the form is OLD=NEW, such as /opt/tools=/usr/local");
  options.names.push_back({NamespaceOption::Kind::bind, value});
  return {};
}

Outcome set_root(RunOptions& options, const char* value) {
  if (*value == '\0') return wrong("--root", value, "give a directory, an archive, or a URL such as pip://HOST/TREE");
  if (options.root != nullptr) return wrong("--root", value, "there is one root; for more than it use -b or --ns");
  options.root = value;
  options.root_place = options.names.size();
  options.names.push_back({NamespaceOption::Kind::contents, "", "--root"});
  return {};
}

Outcome set_bare_root(RunOptions& options, const char*) {
  options.bare_root = true;
  return {};
}

Outcome set_variable(RunOptions& options, const char* value) {
  if (*value == '\0' || *value == '=') return wrong("-e", value, "the form is VAR=VALUE, or VAR to pass it on");
  options.environment.push_back({value, false});
  return {};
}

Outcome unset_variable(RunOptions& options, const char* value) {
  if (*value == '\0' || strchr(value, '=') != nullptr) return wrong("-u", value, "give the name of a variable");
  options.environment.push_back({value, true});
  return {};
}

Outcome set_directory(RunOptions& options, const char* value) {
  if (*value == '\0') return wrong("--chdir", value, "give a directory of the program's name space");
  options.change_directory = value;
  return {};
}

Outcome set_trace(RunOptions& options, const char* value) {
  if (value != nullptr && *value == '\0') return wrong("--trace=", nullptr, "give a file, or --trace for stderr");
  options.trace = value == nullptr ? "" : value;
  return {};
}

Outcome set_threads(RunOptions&, const char* value) {
  if (strcmp(value, "fibers") != 0) return wrong("--threads", value, "the choice is 'fibers'");
  return {};
}

Outcome ask_help(RunOptions& options, const char*) {
  options.help = true;
  return {};
}

Outcome ask_version(RunOptions& options, const char*) {
  options.version = true;
  return {};
}

constexpr Option known[] = {
    {"--ns", Takes::value, add_file},
    {"-m", Takes::value, add_mount},
    {"-b", Takes::value, add_bind},
    {"--root", Takes::value, set_root},
    {"--bare-root", Takes::nothing, set_bare_root},
    {"-e", Takes::value, set_variable},
    {"-u", Takes::value, unset_variable},
    {"--chdir", Takes::value, set_directory},
    {"--trace", Takes::optional_value, set_trace},
    {"--threads", Takes::value, set_threads},
    {"--help", Takes::nothing, ask_help},
    {"--version", Takes::nothing, ask_version},
};

const Option* find(std::string_view name) {
  for (const Option& option : known)
    if (option.name == name) return &option;
  return nullptr;
}

// One argument taken apart: `-mVALUE` or `--name=VALUE`; a null value where there is none.
struct Word {
  std::string_view name;
  const char* value;
};

Word take_apart(const char* argument) {
  const std::string_view text = argument;
  if (!text.starts_with("--")) return {text.substr(0, 2), text.size() > 2 ? argument + 2 : nullptr};
  const size_t sign = text.find('=');
  return {text.substr(0, sign), sign == std::string_view::npos ? nullptr : argument + sign + 1};
}

// Handles the option at `*argv` and moves on past it and its value.
Outcome take_option(RunOptions& options, char**& argv) {
  Word word = take_apart(*argv++);
  const Option* option = find(word.name);
  if (option == nullptr) return wrong(word.name, nullptr, "no such option; see osp-run --help");
  if (option->takes == Takes::nothing && word.value != nullptr) return wrong(word.name, word.value, "takes no value");
  if (option->takes == Takes::value && word.value == nullptr) {
    if (*argv == nullptr) return wrong(word.name, nullptr, "a value is missing; see osp-run --help");
    word.value = *argv++;
  }
  return option->apply(options, word.value);
}

bool is_option(const char* argument) { return argument[0] == '-' && argument[1] != '\0'; }

std::string_view name_of(const char* variable) { return std::string_view(variable, strcspn(variable, "=")); }

void remove(std::vector<const char*>& environment, std::string_view name) {
  std::erase_if(environment, [name](const char* entry) { return name_of(entry) == name; });
}

}  // namespace

std::expected<RunOptions, std::string> parse_run_options(char** argv) {
  RunOptions options;
  if (*argv != nullptr) ++argv;
  while (*argv != nullptr && is_option(*argv)) {
    if (strcmp(*argv, "--") == 0) {
      ++argv;
      break;
    }
    if (auto taken = take_option(options, argv); !taken) return std::unexpected(std::move(taken.error()));
  }
  options.program = argv;
  if (options.bare_root && options.root == nullptr) return wrong("--bare-root", nullptr, "goes with --root");
  if (*argv == nullptr && !options.help && !options.version && options.root == nullptr)
    return std::unexpected("no program is given; the form is osp-run [OPTION…] [--] PROG [ARG…]");
  return options;
}

std::expected<std::vector<const char*>, std::string> changed_environment(
    const char* const* envp, const std::vector<EnvironmentChange>& changes) {
  std::vector<const char*> environment;
  for (; *envp != nullptr; ++envp) environment.push_back(*envp);
  const std::vector<const char*> original = environment;
  for (const EnvironmentChange& change : changes) {
    const char* entry = change.text;
    if (!change.unset && strchr(entry, '=') == nullptr) {
      entry = nullptr;
      for (const char* had : original)
        if (name_of(had) == change.text) entry = had;
      if (entry == nullptr) return wrong("-e", change.text, "is not set here; give -e VAR=VALUE");
    }
    remove(environment, name_of(change.text));
    if (!change.unset) environment.push_back(entry);
  }
  environment.push_back(nullptr);
  return environment;
}

}  // namespace osp::command
