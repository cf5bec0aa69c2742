#include "libosp/memory/space.h"

#include "base/raw_syscall.h"
#include "libosp/host/native.h"

namespace osp::memory {
namespace {

Result<std::shared_ptr<Space>> of(long handle) {
  if (handle < 0) return fail(static_cast<int>(-handle));
  return std::make_shared<Space>(static_cast<int>(handle));
}

}  // namespace

Space::~Space() { raw::syscall(native::space_drop, handle_); }

Result<std::shared_ptr<Space>> Space::make() { return of(raw::call(native::space_make)); }
Result<std::shared_ptr<Space>> Space::clone() { return of(raw::call(native::space_clone)); }

native::MemoryUse Space::use() {
  native::MemoryUse use = {};
  raw::syscall(native::memory_use, &use);
  return use;
}

void Space::enter() const { raw::syscall(native::space_enter, handle_); }

}  // namespace osp::memory
