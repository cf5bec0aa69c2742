#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <utility>

namespace osp {

// The one error domain, from the kernel to πp: a Linux errno number (errno(3)), always positive.
// Text is attached only where a person reads it (see describe()).
struct [[nodiscard]] Error {
  int code = 0;

  constexpr explicit Error(int errno_number) : code(errno_number) {}
  friend constexpr bool operator==(Error, Error) = default;
};

template <class T>
using Result = std::expected<T, Error>;

// For `return fail(ENOENT);` in a function that returns Result<T>.
constexpr std::unexpected<Error> fail(int errno_number) { return std::unexpected<Error>(Error(errno_number)); }

// "No such file or directory": the text of strerror(3), which is not signal-safe.
inline const char* describe(Error error) {
  const char* text = strerrordesc_np(error.code);
  return text != nullptr ? text : "Unknown error";
}

// Converts a raw system call's result (-4095..-1 is an error) into a Result.
template <class T = long>
constexpr Result<T> from_raw(long raw) {
  if (raw < 0 && raw >= -4095) return fail(static_cast<int>(-raw));
  return static_cast<T>(raw);
}
template <>
constexpr Result<void> from_raw<void>(long raw) {
  if (raw < 0 && raw >= -4095) return fail(static_cast<int>(-raw));
  return {};
}

}  // namespace osp

#define OSP_CONCAT_(a, b) a##b
#define OSP_CONCAT(a, b) OSP_CONCAT_(a, b)

// OSP_TRY(expr): for Result<void>; returns the error from the enclosing function.
#define OSP_TRY(...)                                                                                             \
  do {                                                                                                           \
    if (auto osp_try_result_ = (__VA_ARGS__); !osp_try_result_) return std::unexpected(osp_try_result_.error()); \
  } while (false)

// OSP_ASSIGN(auto value, expr): declares or assigns `value` from the Result, or returns its error.
#define OSP_ASSIGN(declaration, ...) OSP_ASSIGN_(declaration, OSP_CONCAT(osp_assign_, __LINE__), __VA_ARGS__)
#define OSP_ASSIGN_(declaration, temporary, ...)             \
  auto temporary = (__VA_ARGS__);                            \
  if (!temporary) return std::unexpected(temporary.error()); \
  declaration = std::move(*temporary)
