#include "namespace/ns_lexer.h"

#include <fmt/format.h>

#include <utility>

namespace osp::ns {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_name_byte(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; }

}  // namespace

bool is_device(std::string_view word) { return word.size() > 1 && word[0] == '#' && is_letter(word[1]); }

std::unexpected<NsError> NsLexer::error(Position at, std::string reason, std::string remedy) const {
  return std::unexpected(NsError{std::move(at), {EINVAL, std::move(reason), std::move(remedy)}});
}

bool NsLexer::at_continuation() const {
  return peek() == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'));
}

void NsLexer::advance() {
  if (text_[offset_++] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
}

void NsLexer::skip_blanks() {
  while (!at_end()) {
    if (at_continuation()) {
      while (peek() != '\n') advance();
      advance();
    } else if (peek() == ' ' || peek() == '\t' || (peek() == '\r' && peek(1) == '\n')) {
      advance();
    } else {
      return;
    }
  }
}

void NsLexer::skip_comment() {
  while (!at_end() && peek() != '\n') advance();
}

NsResult<std::vector<Word>> NsLexer::next_line() {
  std::vector<Word> words;
  for (;;) {
    skip_blanks();
    const bool comment = peek() == '#' && (words.empty() || !is_letter(peek(1)));
    if (comment) skip_comment();
    if (at_end()) return words;
    if (peek() == '\n') {
      advance();
      if (!words.empty()) return words;
      continue;
    }
    auto word = read_word();
    if (!word) return std::unexpected(std::move(word.error()));
    words.push_back(std::move(*word));
  }
}

NsResult<Word> NsLexer::read_word() {
  Word word{.text = {}, .at = here()};
  while (!at_end() && !at_continuation()) {
    const char c = peek();
    if (c == ' ' || c == '\t' || c == '\n' || (c == '\r' && peek(1) == '\n')) break;
    if (c == '\0') return error(here(), "the file holds a NUL byte", "is this a name space file?");
    if (c == '"')
      return error(here(), "a double quote does not quote here", "quote with '…'; a quote inside is written ''");
    if (c == '\'' || c == '$') {
      auto done = c == '$' ? read_variable(word.text) : read_quoted(word.text);
      if (!done) return std::unexpected(std::move(done.error()));
    } else {
      word.text += c;
      advance();
    }
  }
  return word;
}

NsResult<void> NsLexer::read_quoted(std::string& word) {
  const Position begin = here();
  advance();
  while (!at_end() && peek() != '\0') {
    const bool quote = peek() == '\'';
    if (quote && peek(1) != '\'') {
      advance();
      return {};
    }
    word += peek();
    advance();
    if (quote) advance();  // the second one of ''
  }
  return error(begin, "the quote is not closed", "add a ' at the end of the word; a quote inside is written ''");
}

NsResult<void> NsLexer::read_variable(std::string& word) {
  const Position begin = here();
  advance();
  const bool braces = peek() == '{';
  if (braces) advance();
  std::string name;
  while (is_name_byte(peek())) {
    name += peek();
    advance();
  }
  if (name.empty()) return error(begin, "there is no variable name after $", "quote a plain one: '$'");
  if (braces && peek() != '}') return error(begin, fmt::format("${{{} is not closed", name), "add a }");
  if (braces) advance();
  const auto value = sources_.variable(name);
  if (!value) return error(begin, fmt::format("${} is not set", name), fmt::format("set it: osp-run -e {}=…", name));
  if (value->contains('\0')) return error(begin, fmt::format("${} holds a NUL byte", name), {});
  word += *value;
  return {};
}

}  // namespace osp::ns
