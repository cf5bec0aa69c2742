#pragma once

#include <type_traits>
#include <utility>

#include "pip/server.h"

namespace osp::pip::store {

// What went wrong inside the store, as a walk tells it: damage (EBADMSG) is EIO to programs.
template <class T = void>
Walked<T> walked(Result<T> result) {
  if (!result) return std::unexpected(WalkError(result.error().code == EBADMSG ? Error(EIO) : result.error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*result);
  }
}

// `which`: of an operation with two paths, whose it is.
inline std::unexpected<WalkError> refuse(int code, int which = 0) {
  WalkError error(code);
  error.which = which;
  return std::unexpected(std::move(error));
}

}  // namespace osp::pip::store
