#pragma once

#include <string>

#include "pip/server.h"

// How the pip tool shows files.
namespace osp::piptool {

std::string mode_letters(uint32_t mode);  // "drwxr-xr-x"
std::string time_text(int64_t ns);        // "2026-11-21 08:10:17", local time
std::string json_string(std::string_view text);
std::string json_entry(const pip::DirectoryEntry& entry);
// `color`: escapes for a terminal.
std::string colored_name(const pip::DirectoryEntry& entry, bool color);
std::string long_line(const pip::DirectoryEntry& entry, bool color);
std::string stat_text(const pip::DirectoryEntry& entry);

// A bar on a terminal's stderr; nothing elsewhere.
class Progress {
 public:
  Progress(std::string name, uint64_t total);
  ~Progress();
  void show(uint64_t done);

 private:
  std::string name_;
  uint64_t total_;
  bool on_;
  int last_percent_ = -1;
};

}  // namespace osp::piptool
