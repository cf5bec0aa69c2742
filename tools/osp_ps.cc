#include "tools/osp_ps.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "migrate/manifest_json.h"
#include "tools/control_channel.h"

namespace osp::tools {
namespace {

std::string value_of(const std::string& text, std::string_view key) {
  size_t at = text.starts_with(key) ? 0 : text.find(fmt::format("\n{}", key));
  if (at == std::string::npos) return {};
  at = text.find(key, at) + key.size();
  return text.substr(at, text.find('\n', at) - at);
}

// `key: value` lines as a JSON object; numbers stay numbers.
std::string as_json(pid_t pid, const std::string& text) {
  std::string json = fmt::format(R"({{"process":{})", pid);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string value = line.substr(colon + 2);
    const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
    json += fmt::format(",{}:{}", migrate::json_string(line.substr(0, colon)),
                        number ? value : migrate::json_string(value));
  }
  return json + "}";
}

void list(bool json, int& status) {
  std::string out =
      json ? "[" : fmt::format("{:>7} {:>7} {:>7} {:>9}  {}\n", "PID", "VIRTUAL", "THREADS", "KIB", "COMMAND");
  bool first = true;
  for (const pid_t pid : find_core_processes()) {
    const auto control = Control::open(pid);
    const auto text = control ? control->read("status") : fail(ETIMEDOUT);
    if (!text) {
      fmt::print(stderr, "osp: ps: {}\n",
                 control ? fmt::format("process {}: {}", pid, describe(text.error())) : control.error());
      status = EXIT_FAILURE;
      continue;
    }
    if (json) {
      out += (first ? "" : ",") + as_json(pid, *text);
    } else {
      const auto mapped = std::strtoull(value_of(*text, "mapped-bytes: ").c_str(), nullptr, 10);
      out += fmt::format("{:>7} {:>7} {:>7} {:>9}  {}\n", pid, value_of(*text, "pid: "), value_of(*text, "threads: "),
                         mapped / 1024, value_of(*text, "arguments: "));
    }
    first = false;
  }
  fmt::print("{}", out + (json ? "]\n" : ""));
}

void show(pid_t pid, const std::string& file, int& status) {
  const auto control = Control::open(pid);
  const auto text = control ? control->read(file) : fail(ETIMEDOUT);
  if (text) {
    fmt::print("{}", *text);
    return;
  }
  fmt::print(stderr, "osp: {}: {}\n", file, control ? describe(text.error()) : control.error());
  status = EXIT_FAILURE;
}

}  // namespace

void add_process_commands(CLI::App& app, int& status) {
  auto json = std::make_shared<bool>(false);
  CLI::App* ps = app.add_subcommand("ps", "List the processes that run in Osprey");
  ps->add_flag("--json", *json, "Print JSON");
  ps->callback([json, &status] { list(*json, status); });
  const std::pair<const char*, const char*> files[] = {{"ns", "Print a process's name space"},
                                                       {"stack", "Print the registers and stack of each thread"},
                                                       {"fd", "Print a process's open files"},
                                                       {"maps", "Print a process's memory map"},
                                                       {"status", "Print what a process is"}};
  for (const auto& [name, text] : files) {
    auto pid = std::make_shared<pid_t>(0);
    CLI::App* command = app.add_subcommand(name, text);
    command->add_option("pid", *pid, "The process")->required();
    command->callback([pid, file = std::string(name), &status] { show(*pid, file, status); });
  }
}

}  // namespace osp::tools
