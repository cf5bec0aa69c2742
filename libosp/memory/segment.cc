#include "libosp/memory/segment.h"

#include "base/raw_syscall.h"
#include "libosp/host/native.h"
#include "libosp/memory/address_space.h"

namespace osp::memory {

Segment::~Segment() { raw::syscall(native::handle_close, handle_); }

Result<std::shared_ptr<Segment>> Segment::make(uint64_t size) {
  const long handle = raw::syscall(native::segment_make, size == 0 ? page_size : size);
  if (handle < 0) return fail(static_cast<int>(-handle));
  return std::make_shared<Segment>(static_cast<int>(handle));
}

Result<void> Segment::resize(uint64_t size) {
  return from_raw<void>(raw::syscall(native::segment_resize, handle_, size));
}

long map_segment(int handle, uintptr_t address, size_t size, uint64_t offset, int protection, bool is_private) {
  const auto how = static_cast<long>(is_private ? native::MapHow::copy : native::MapHow::share);
  return raw::syscall(native::segment_map_part, handle, address, size, offset, protection, how);
}

}  // namespace osp::memory
