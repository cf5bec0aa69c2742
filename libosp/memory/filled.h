#pragma once

#include <cstddef>
#include <span>

#include "libosp/memory/address_space.h"
#include "namespace/function_ref.h"

namespace osp::memory {

// As pread(2) of what is to be mapped.
using Contents = ns::FunctionRef<Result<size_t>(uint64_t offset, std::span<std::byte> to)>;

// AddressSpace::map() where there is no host to map a file: memory of the process's own, filled from `offset` of the
// contents on; what lies behind their end is zero. Errors of map() and of reading, after which nothing is mapped.
Result<uintptr_t> map_filled(AddressSpace& memory, uintptr_t hint, size_t size, int protection, int flags,
                             uint64_t offset, std::shared_ptr<Backing> backing, Contents contents);

}  // namespace osp::memory
