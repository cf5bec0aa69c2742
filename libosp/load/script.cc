#include "libosp/load/script.h"

#include <algorithm>

namespace osp::load {
namespace {

constexpr std::string_view blanks = " \t";

// The text after `#!`, up to the line's end. Without a newline in the head it ends at the head's last
// byte but one, as the kernel's buffer keeps one for a NUL; bytes after the file's end are NULs to it.
struct Line {
  std::string_view text;
  bool whole = false;  // ended by a newline or the end of the file
};

Line line_of(std::span<const std::byte> head) {
  const std::string_view all(reinterpret_cast<const char*>(head.data()), std::min(head.size(), script_head_size));
  const std::string_view after = all.substr(2);
  if (const size_t newline = after.find('\n'); newline != after.npos) return {after.substr(0, newline), true};
  if (all.size() < script_head_size) return {after, true};
  return {after.substr(0, after.size() - 1), false};
}

std::string_view until_nul(std::string_view text) { return text.substr(0, text.find('\0')); }

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

}  // namespace

bool is_script(std::span<const std::byte> head) {
  return head.size() >= 2 && head[0] == std::byte{'#'} && head[1] == std::byte{'!'};
}

Outcome<Script> parse_script(std::span<const std::byte> head) {
  if (!is_script(head)) return refuse(ENOEXEC, "is not a script (it does not begin with #!)");
  const Line line = line_of(head);
  const std::string_view text = trim(line.text);
  const size_t name_end = text.find_first_of(std::string_view(" \t\0", 3));
  const std::string_view name = text.substr(0, name_end);
  if (name.empty()) return refuse(ENOEXEC, "has a #! line that names no interpreter");
  const bool ends_in_blank = name_end == text.npos && line.text.find_last_not_of(blanks) + 1 < line.text.size();
  if (!line.whole && name_end == text.npos && !ends_in_blank)
    return refuse(ENOEXEC, "has a #! line whose interpreter's name does not end within 255 bytes");
  Script script{.interpreter = std::string(name), .argument = {}, .has_argument = false};
  if (name_end == text.npos || text[name_end] == '\0') return script;
  const std::string_view rest = text.substr(text.find_first_not_of(blanks, name_end));
  script.argument = until_nul(rest);
  script.has_argument = true;
  return script;
}

std::vector<std::string> script_argv(const Script& script, std::string_view path, std::span<const std::string> argv) {
  std::vector<std::string> result = {script.interpreter};
  if (script.has_argument) result.push_back(script.argument);
  result.emplace_back(path);
  if (argv.size() > 1) result.insert(result.end(), argv.begin() + 1, argv.end());
  return result;
}

}  // namespace osp::load
