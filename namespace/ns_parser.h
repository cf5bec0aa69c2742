#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "namespace/ns_lexer.h"

namespace osp::ns {

// Reads name space files into commands. For ns_file.cc only.
class NsParser {
 public:
  explicit NsParser(const NsSources& sources) : sources_(sources) {}

  // Reads the file `path`, which the text at `from` names.
  NsResult<void> include(const std::string& path, const Position& from);
  NsResult<void> read(std::string_view text, const std::string& name);
  [[nodiscard]] std::vector<Command> take() { return std::move(commands_); }

 private:
  NsResult<void> read_line(const std::vector<Word>& words, const std::string& name);

  const NsSources& sources_;
  std::vector<Command> commands_;
  unsigned depth_ = 0;
  size_t size_ = 0;
};

// The command of one line. EINVAL with reason and remedy.
NsResult<Command> parse_command(const std::vector<Word>& words);

}  // namespace osp::ns
