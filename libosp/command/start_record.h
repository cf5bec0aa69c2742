#pragma once

#include <string>
#include <string_view>
#include <vector>

// What osp-unpack tells osp-run on its standard output: words ended by NUL, each after a letter that says what it is.
// No library is needed for it.
namespace osp::command {

struct StartRecord {
  std::string root;                      // 'r': the folder
  std::string directory;                 // 'd': where the program starts, "" is the root
  std::vector<std::string> environment;  // 'e': VAR=VALUE
  std::vector<std::string> program;      // 'p': what is run when nothing is named, with its arguments

  [[nodiscard]] std::string text() const {
    std::string all;
    const auto add = [&all](char kind, std::string_view word) { (all += kind).append(word).push_back('\0'); };
    if (!root.empty()) add('r', root);
    if (!directory.empty()) add('d', directory);
    for (const std::string& variable : environment) add('e', variable);
    for (const std::string& word : program) add('p', word);
    return all;
  }

  // What it does not know it leaves out.
  static StartRecord parse(std::string_view text) {
    StartRecord record;
    while (!text.empty()) {
      const size_t end = text.find('\0');
      const std::string_view word = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (word.empty()) continue;
      const std::string value(word.substr(1));
      if (word[0] == 'r') record.root = value;
      if (word[0] == 'd') record.directory = value;
      if (word[0] == 'e') record.environment.push_back(value);
      if (word[0] == 'p') record.program.push_back(value);
    }
    return record;
  }
};

}  // namespace osp::command
