#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace osp::tools {

// When something is to end, in seconds since 1970: "90s", "30m", "12h", "7d" from now on, or a moment in UTC:
// "2027-01-31", "2027-01-31T18:00". EINVAL: neither; ERANGE: it is past.
[[nodiscard]] Result<int64_t> parse_until(std::string_view text, int64_t now_s);
// The length of a span: "90s" … "7d". EINVAL, ERANGE.
[[nodiscard]] Result<int64_t> parse_span(std::string_view text);
// As "2027-01-31T18:00:00Z".
[[nodiscard]] std::string moment_text(int64_t at_s);

}  // namespace osp::tools
