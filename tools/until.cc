#include "tools/until.h"

#include <charconv>
#include <ctime>
#include <string>

namespace osp::tools {
namespace {

constexpr int64_t longest_s = 100LL * 366 * 24 * 3600;

int64_t seconds_of(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 24 * 3600;
    default:
      return 0;
  }
}

Result<int64_t> parse_moment(const std::string& text) {
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm parts = {};
    const char* const end = strptime(text.c_str(), form, &parts);
    if (end == nullptr || (*end != '\0' && std::string_view(end) != "Z")) continue;
    const std::tm wanted = parts;
    const int64_t at_s = timegm(&parts);
    return parts.tm_mday == wanted.tm_mday ? Result<int64_t>(at_s) : fail(EINVAL);  // no 30th of February
  }
  return fail(EINVAL);
}

}  // namespace

Result<int64_t> parse_span(std::string_view text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const int64_t unit = end + 1 == text.data() + text.size() ? seconds_of(*end) : 0;
  if (error != std::errc() || unit == 0 || count <= 0) return fail(EINVAL);
  return count > longest_s / unit ? fail(ERANGE) : Result<int64_t>(count * unit);
}

Result<int64_t> parse_until(std::string_view text, int64_t now_s) {
  if (const auto span = parse_span(text); span || span.error().code == ERANGE)
    return span ? Result<int64_t>(now_s + *span) : span;
  OSP_ASSIGN(const int64_t at_s, parse_moment(std::string(text)));
  return at_s > now_s ? Result<int64_t>(at_s) : fail(ERANGE);
}

std::string moment_text(int64_t at_s) {
  const std::time_t time = at_s;
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace osp::tools
