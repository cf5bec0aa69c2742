#include "namespace/ns_parser.h"

#include <fmt/format.h>

#include <utility>

namespace osp::ns {
namespace {

std::unexpected<NsError> error(const Position& at, std::string reason, std::string remedy, int code = EINVAL) {
  return std::unexpected(NsError{at, {code, std::move(reason), std::move(remedy)}});
}

// An included path as the including file means it: relative to that file's directory.
std::string relative_to(const std::string& path, const std::string& file) {
  const size_t slash = file.rfind('/');
  if (path.starts_with('/') || slash == std::string::npos) return path;
  return file.substr(0, slash + 1) + path;
}

}  // namespace

NsResult<void> NsParser::include(const std::string& path, const Position& from) {
  if (depth_ == ns_depth_max)
    return error(from, fmt::format("more than {} files include each other", ns_depth_max),
                 "does a file include itself?", ELOOP);
  const auto text = sources_.read(path);
  if (!text)
    return error(from, fmt::format("cannot read {}: {}", from.file == path ? "it" : path, describe(text.error())),
                 "a relative path starts from the including file", text.error().code);
  ++depth_;
  auto done = read(*text, path);
  --depth_;
  return done;
}

NsResult<void> NsParser::read(std::string_view text, const std::string& name) {
  size_ += text.size();
  if (size_ > ns_text_size_max) return error({name, 0, 0}, "the files are too large together", {}, EFBIG);
  NsLexer lexer(text, name, sources_);
  for (;;) {
    const auto words = lexer.next_line();
    if (!words) return std::unexpected(words.error());
    if (words->empty()) return {};
    if (auto done = read_line(*words, name); !done) return done;
  }
}

NsResult<void> NsParser::read_line(const std::vector<Word>& words, const std::string& name) {
  if (words[0].text == ".") {
    if (words.size() != 2) return error(words[0].at, ". takes one file", "write: . FILE");
    return include(relative_to(words[1].text, name), words[1].at);
  }
  if (commands_.size() == ns_commands_max)
    return error(words[0].at, fmt::format("more than {} commands", ns_commands_max), {}, E2BIG);
  auto command = parse_command(words);
  if (!command) return std::unexpected(std::move(command.error()));
  commands_.push_back(std::move(*command));
  return {};
}

}  // namespace osp::ns
