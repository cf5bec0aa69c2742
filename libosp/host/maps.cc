#include "libosp/host/maps.h"

#include <fcntl.h>

#include <charconv>

#include "base/raw_syscall.h"

namespace osp::host {
namespace {

uint64_t number(std::string_view& text, int base) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  text.remove_prefix(std::min(text.size(), static_cast<size_t>(end - text.data()) + 1));
  return value;
}

Result<std::string> read_maps() {
  OSP_ASSIGN(const int fd, from_raw<int>(raw::syscall(SYS_open, "/proc/self/maps", O_RDONLY | O_CLOEXEC)));
  std::string text;
  char buffer[4096];
  long got = 0;
  while ((got = raw::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(got));
  raw::close(fd);
  return text;
}

MapsLine parse_maps_line(std::string_view text) {
  MapsLine line;
  line.range.start = number(text, 16), line.range.end = number(text, 16);
  line.permissions = text.substr(0, 4);
  text.remove_prefix(std::min<size_t>(text.size(), 5));
  line.offset = number(text, 16);
  line.major = number(text, 16), line.minor = number(text, 16);
  line.inode = number(text, 10);
  const size_t name = text.find_first_not_of(' ');
  if (name != std::string_view::npos) line.name = text.substr(name);
  return line;
}

}  // namespace

void KernelPages::take(const MapsLine& line) {
  if (line.name == "[vdso]") vdso = line.range;
  if (line.name.starts_with("[vvar")) data.push_back(line.range);
}

Result<void> each_mapping(const std::function<void(const MapsLine&)>& take) {
  OSP_ASSIGN(const std::string maps, read_maps());
  for (std::string_view rest = maps; !rest.empty();) {
    const size_t end = rest.find('\n');
    take(parse_maps_line(rest.substr(0, end)));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return {};
}

Result<KernelPages> find_kernel_pages() {
  KernelPages pages;
  OSP_TRY(each_mapping([&](const MapsLine& line) { pages.take(line); }));
  return pages;
}

std::string unescape_name(std::string_view name) {
  std::string out;
  for (size_t at = 0; at < name.size(); ++at) {
    const bool newline = name.substr(at, 4) == "\\012";
    out += newline ? '\n' : name[at];
    if (newline) at += 3;
  }
  return out;
}

}  // namespace osp::host
