// The record that osp-boot hands to the core.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "namespace/ns_file.h"
#include "tools/osp_boot_options.h"
#include "tools/osp_boot_program.h"

namespace osp::tools {
namespace {

using native::BootRecord;
using Kind = host::NamespaceOption::Kind;

constexpr unsigned short default_rows = 24, default_columns = 80;

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(errno);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return fail(EIO);
  return text;
}

// The commands of a name space file as records: one for each run of commands of one file, so that each keeps the place
// that it has there, also where files include others.
BootResult<void> add_file(BootRecord& record, const std::string& path, const std::vector<std::string>& environment) {
  const auto read = [](const std::string& name) { return read_file(name); };
  const auto variable = [&](std::string_view name) -> std::optional<std::string> {
    for (const std::string& entry : environment)
      if (entry.starts_with(name) && entry.substr(name.size(), 1) == "=") return entry.substr(name.size() + 1);
    return std::nullopt;
  };
  const auto commands = ns::parse_ns_file(path, {.read = read, .variable = variable});
  if (!commands) return std::unexpected(commands.error().text());
  unsigned line = 1;
  bool first = true;
  for (const ns::Command& command : *commands) {
    if (first || record.names.back().name != command.at.file || command.at.line < line) {
      record.names.push_back({Kind::file, {}, command.at.file});
      line = 1;
    }
    first = false;
    std::string& text = record.names.back().text;
    for (; line < command.at.line; ++line) text += '\n';
    if (command.at.column > 1) text.append(command.at.column - 1, ' ');
    text += command.text() + '\n';
    ++line;
  }
  return {};
}

BootResult<void> add_names(BootRecord& record, const BootOptions& options,
                           const std::vector<std::string>& environment) {
  unsigned mounts = 0, binds = 0;
  for (const BootRecord::NameOption& option : options.names) {
    if (option.kind == Kind::file) {
      if (auto added = add_file(record, option.name, environment); !added) return added;
      continue;
    }
    const auto command = option.kind == Kind::mount ? ns::parse_mount_option(option.text, ++mounts)
                                                    : ns::parse_bind_option(option.text, ++binds);
    if (!command) return std::unexpected(command.error().text());
    record.names.push_back(option);
  }
  return {};
}

void describe_terminal(BootRecord& record) {
  winsize size{};
  for (int fd = 0; fd < 3; ++fd) {
    record.terminal[static_cast<size_t>(fd)] = isatty(fd) == 1;
    if (size.ws_row == 0 && isatty(fd) == 1) (void)ioctl(fd, TIOCGWINSZ, &size);
  }
  record.rows = size.ws_row > 0 ? size.ws_row : default_rows;
  record.columns = size.ws_col > 0 ? size.ws_col : default_columns;
}

std::string host_name() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, HOST_NAME_MAX) == 0 && *name != '\0' ? name : "osprey";
}

mode_t current_umask() {
  const mode_t mask = umask(0);
  umask(mask);
  return mask;
}

}  // namespace

BootResult<std::vector<std::string>> make_environment(const BootOptions& options, const char* const* envp) {
  auto environment = command::changed_environment(envp, options.environment);
  if (!environment) return std::unexpected(std::move(environment.error()));
  environment->pop_back();
  return std::vector<std::string>(environment->begin(), environment->end());
}

BootResult<BootRecord> make_record(const BootOptions& options, const std::string& program,
                                   const std::vector<std::string>& environment) {
  BootRecord record;
  record.program = program;
  record.arguments = options.program;
  record.environment = environment;
  std::erase_if(record.environment, [](const std::string& entry) { return entry.find('=') == std::string::npos; });
  std::error_code error;
  const std::filesystem::path here = options.root.empty() ? std::filesystem::current_path(error) : "/";
  record.directory = options.directory.empty() ? here.string() : (here / options.directory).lexically_normal().string();
  record.trace = options.trace;
  record.hostname = host_name();
  record.umask = current_umask();
  record.uid = getuid(), record.gid = getgid();
  describe_terminal(record);
  if (auto added = add_names(record, options, environment); !added) return std::unexpected(std::move(added.error()));
  return record;
}

}  // namespace osp::tools
