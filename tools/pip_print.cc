#include "tools/pip_print.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>

namespace osp::piptool {
namespace {

char type_letter(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return 'd';
    case S_IFLNK:
      return 'l';
    case S_IFIFO:
      return 'p';
    case S_IFSOCK:
      return 's';
    case S_IFCHR:
      return 'c';
    case S_IFBLK:
      return 'b';
    default:
      return '-';
  }
}

char execute_letter(bool execute, bool special, char with, char without) {
  if (special) return execute ? with : without;
  return execute ? 'x' : '-';
}

}  // namespace

std::string mode_letters(uint32_t mode) {
  std::string out(1, type_letter(mode));
  constexpr std::string_view letters = "rwxrwxrwx";
  for (unsigned i = 0; i < 9; ++i) out += (mode & (0400U >> i)) != 0 ? letters[i] : '-';
  out[3] = execute_letter((mode & S_IXUSR) != 0, (mode & S_ISUID) != 0, 's', 'S');
  out[6] = execute_letter((mode & S_IXGRP) != 0, (mode & S_ISGID) != 0, 's', 'S');
  out[9] = execute_letter((mode & S_IXOTH) != 0, (mode & S_ISVTX) != 0, 't', 'T');
  return out;
}

std::string time_text(int64_t ns) {
  const time_t seconds = ns / 1'000'000'000;
  tm local{};
  localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string json_entry(const pip::DirectoryEntry& entry) {
  const pip::Attributes& a = entry.attributes;
  std::string out = fmt::format(
      "{{\"name\":{},\"id\":{},\"mode\":\"{:o}\",\"type\":\"{}\",\"uid\":{},\"gid\":{},\"links\":{},\"size\":{},"
      "\"mtime_ns\":{},\"ctime_ns\":{},\"version\":{}",
      json_string(entry.name), a.id, a.mode, type_letter(a.mode), a.uid, a.gid, a.links, a.size, a.mtime_ns, a.ctime_ns,
      a.version);
  if (!entry.target.empty()) out += fmt::format(",\"target\":{}", json_string(entry.target));
  return out + "}";
}

std::string colored_name(const pip::DirectoryEntry& entry, bool color) {
  const uint32_t mode = entry.attributes.mode;
  const char* code = S_ISDIR(mode)                                 ? "1;34"
                     : S_ISLNK(mode)                               ? "1;36"
                     : !S_ISREG(mode)                              ? "33"
                     : (mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0 ? "1;32"
                                                                   : nullptr;
  if (!color || code == nullptr) return entry.name;
  return fmt::format("\x1b[{}m{}\x1b[0m", code, entry.name);
}

std::string long_line(const pip::DirectoryEntry& entry, bool color) {
  const pip::Attributes& a = entry.attributes;
  std::string line = fmt::format("{} {:>3} {:>5} {:>5} {:>11} {} {}", mode_letters(a.mode), a.links, a.uid, a.gid,
                                 a.size, time_text(a.mtime_ns), colored_name(entry, color));
  if (!entry.target.empty()) line += " -> " + entry.target;
  return line;
}

std::string stat_text(const pip::DirectoryEntry& entry) {
  const pip::Attributes& a = entry.attributes;
  std::string text = fmt::format("{}{}\n", entry.name, entry.target.empty() ? "" : " -> " + entry.target);
  text += fmt::format("  mode {} ({:04o})  links {}  uid {}  gid {}\n", mode_letters(a.mode), a.mode & 07777U, a.links,
                      a.uid, a.gid);
  text += fmt::format("  size {}  blocks {}  id {}  version {}\n", a.size, a.blocks, a.id, a.version);
  text += fmt::format("  read {}  written {}  changed {}\n", time_text(a.atime_ns), time_text(a.mtime_ns),
                      time_text(a.ctime_ns));
  return text;
}

Progress::Progress(std::string name, uint64_t total)
    : name_(std::move(name)), total_(total), on_(isatty(STDERR_FILENO) == 1 && total > 0) {}

Progress::~Progress() {
  if (on_ && last_percent_ >= 0) fmt::print(stderr, "\n");
}

void Progress::show(uint64_t done) {
  constexpr int width = 40;
  const int percent =
      total_ == 0 ? 100 : static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total_));
  if (!on_ || percent == last_percent_) return;
  last_percent_ = percent;
  const auto filled = static_cast<size_t>(width * percent / 100);
  fmt::print(stderr, "\r{} [{:<{}}] {:>3} %", name_, std::string(filled, '#'), width, percent);
  fflush(stderr);
}

}  // namespace osp::piptool
