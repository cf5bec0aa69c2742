#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/result.h"

namespace osp::load {

// Why a file cannot be executed: the errno that execve(2) fails with, and what is wrong for a person,
// to be put after the file's name ("is for AArch64, this machine is x86-64").
struct [[nodiscard]] Refusal {
  Error error;
  std::string reason;
};

template <class T>
using Outcome = std::expected<T, Refusal>;

inline std::unexpected<Refusal> refuse(int errno_number, std::string reason) {
  return std::unexpected<Refusal>(Refusal{Error(errno_number), std::move(reason)});
}

}  // namespace osp::load
