#include <cstdint>
#include <cstdlib>

#include "namespace/ns_file.h"

// libFuzzer: any bytes as a name space file, which includes itself as "self". What parses must print as
// lines that parse.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace osp;
  const std::string text(reinterpret_cast<const char*>(data), size);  // bytes are what a file is
  const auto read = [&](const std::string& path) -> Result<std::string> {
    return path == "self" ? Result<std::string>(text) : fail(ENOENT);
  };
  const auto variable = [&](std::string_view name) -> std::optional<std::string> {
    return name == "X" ? std::optional<std::string>("a 'b") : std::nullopt;
  };
  const auto commands = ns::parse_ns_text(text, "fuzz", {.read = read, .variable = variable});
  if (!commands) {
    if (commands.error().text().empty()) std::abort();
    return 0;
  }
  for (const ns::Command& command : *commands) {
    const std::string line = command.text();
    if (command.source.starts_with('-') || command.target.starts_with('-')) continue;
    const auto again = ns::parse_ns_text(line, "fuzz", {.read = read, .variable = variable});
    if (!again || again->size() != 1 || (*again)[0].text() != line) std::abort();
  }
  return 0;
}
