#include "namespace/ns_file.h"

#include <fmt/format.h>

#include <utility>

#include "namespace/ns_lexer.h"
#include "namespace/ns_parser.h"

namespace osp::ns {

std::string Position::text() const { return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column); }

std::string NsError::text() const {
  std::string text = fmt::format("{}: {}", at.text(), trouble.reason);
  if (!trouble.remedy.empty()) text += "; " + trouble.remedy;
  return text;
}

std::string Command::text() const {
  std::string letters;
  if (flags.order == Order::before) letters += 'b';
  if (flags.order == Order::after) letters += 'a';
  if (flags.create) letters += 'c';
  if (flags.read_only) letters += 'r';
  if (flags.make_up) letters += 'p';
  std::string line = kind == Kind::mount ? "mount" : kind == Kind::bind ? "bind" : "unmount";
  if (!letters.empty()) line += " -" + letters;
  if (!flags.options.empty()) line += " -o " + quote(flags.options);
  if (!source.empty()) line += " " + quote(source);
  return line + " " + quote(target);
}

std::optional<DeviceName> parse_device(std::string_view word) {
  if (!is_device(word)) return std::nullopt;
  const size_t slash = word.find('/');
  const std::string_view head = word.substr(1, slash == std::string_view::npos ? slash : slash - 1);
  const size_t dot = head.find('.');
  DeviceName name;
  name.device = head.substr(0, dot);
  if (dot != std::string_view::npos) name.instance = head.substr(dot + 1);
  if (slash != std::string_view::npos) name.path = word.substr(slash + 1);
  return name;
}

NsResult<std::vector<Command>> parse_ns_file(const std::string& name, const NsSources& sources) {
  NsParser parser(sources);
  if (auto done = parser.include(name, {.file = name}); !done) return std::unexpected(std::move(done.error()));
  return parser.take();
}

NsResult<std::vector<Command>> parse_ns_text(std::string_view text, const std::string& name, const NsSources& sources) {
  NsParser parser(sources);
  if (auto done = parser.read(text, name); !done) return std::unexpected(std::move(done.error()));
  return parser.take();
}

}  // namespace osp::ns
