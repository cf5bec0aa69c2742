#pragma once

#include <expected>
#include <string>

#include "base/result.h"

namespace osp::ns {

// An error that a person reads: what is wrong, and what to do about it.
struct Trouble {
  int code = 0;        // the errno a program gets
  std::string reason;  // "/n/lab does not exist"
  std::string remedy;  // "make it first, or say bind -p"; may be empty
};

template <class T>
using Checked = std::expected<T, Trouble>;

inline std::unexpected<Trouble> trouble(int code, std::string reason, std::string remedy = {}) {
  return std::unexpected(Trouble{code, std::move(reason), std::move(remedy)});
}

}  // namespace osp::ns
