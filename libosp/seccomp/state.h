#pragma once

#include <memory>

namespace osp::seccomp {

class Filter;

// How a thread has confined itself (seccomp(2)); a new one begins with its maker's.
struct State {
  int mode = 0;  // SECCOMP_MODE_*
  std::shared_ptr<const Filter> filter;
};

}  // namespace osp::seccomp
