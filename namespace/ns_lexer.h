#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "namespace/ns_file.h"

namespace osp::ns {

struct Word {
  std::string text;
  Position at;
};

// Reads a name space file as lines of words: '…' quotes, with '' for a quote; $NAME and ${NAME}; a
// backslash at the end of a line joins the next; # begins a comment where no device name can stand.
class NsLexer {
 public:
  // Borrows `text` and `sources`.
  NsLexer(std::string_view text, std::string file, const NsSources& sources)
      : text_(text), file_(std::move(file)), sources_(sources) {}

  // The words of the next line that has any; empty at the end.
  NsResult<std::vector<Word>> next_line();

 private:
  [[nodiscard]] bool at_end() const { return offset_ >= text_.size(); }
  [[nodiscard]] char peek(size_t ahead = 0) const {
    return offset_ + ahead < text_.size() ? text_[offset_ + ahead] : '\0';
  }
  [[nodiscard]] bool at_continuation() const;
  void advance();
  void skip_blanks();
  void skip_comment();
  [[nodiscard]] Position here() const { return {file_, line_, column_}; }
  NsResult<Word> read_word();
  NsResult<void> read_quoted(std::string& word);
  NsResult<void> read_variable(std::string& word);
  [[nodiscard]] std::unexpected<NsError> error(Position at, std::string reason, std::string remedy) const;

  std::string_view text_;
  std::string file_;
  const NsSources& sources_;
  size_t offset_ = 0;
  unsigned line_ = 1, column_ = 1;
};

}  // namespace osp::ns
