#pragma once

#include <expected>
#include <string>

namespace osp::unpack {

// Or one line that says what is wrong, with the member's name, and how to mend it.
template <class T>
using Outcome = std::expected<T, std::string>;

inline std::unexpected<std::string> wrong(std::string text) { return std::unexpected(std::move(text)); }

}  // namespace osp::unpack

// Hands a failed Outcome on.
#define OSP_CHECK(expression)                                                           \
  do {                                                                                  \
    if (auto checked = (expression); !checked) return std::unexpected(checked.error()); \
  } while (false)
