#pragma once

#include <memory>

#include "base/result.h"
#include "libosp/host/native.h"

namespace osp::memory {

// Natively, an address space of the kernel's (host/native.h): the core's window, which all have in common, and the
// memory of one process. Owns the handle; the space is gone when no worker is in it any more.
class Space {
 public:
  explicit Space(int handle) : handle_(handle) {}
  ~Space();
  Space(const Space&) = delete;
  Space& operator=(const Space&) = delete;

  // With nothing in it but the window. ENOMEM.
  static Result<std::shared_ptr<Space>> make();
  // A copy of the one that the worker is in, made page by page when either is written; MAP_SHARED memory is shared.
  static Result<std::shared_ptr<Space>> clone();

  // What memory there is, and what of it is in the space that the worker is in.
  static native::MemoryUse use();

  // The calling worker goes on in it.
  void enter() const;

 private:
  int handle_;
};

}  // namespace osp::memory
