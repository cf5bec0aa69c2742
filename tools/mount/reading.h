#pragma once

#include <span>

#include "pip/server.h"

namespace osp::fuse {

// As the kernel wants it, to which a short read is the end of the file, and the rest zeros: asks until all is read or
// nothing more comes. An error counts though something was read before: the kernel then asks for each page, and the
// program gets those that can be read. Blocks as the file does.
Result<size_t> read_whole(pip::File& file, uint64_t offset, std::span<std::byte> into);

}  // namespace osp::fuse
