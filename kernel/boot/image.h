#pragma once

#include <cstdint>

#include "kernel/boot/archive.h"
#include "kernel/memory/map.h"

namespace osp::kernel {

// Where a loaded image has what its aux vector names.
struct ImageAddresses {
  uint64_t headers, header_count, entry;
};

// Maps the segments of a static-PIE ELF file at window::image; their bytes are copied when they are touched. Negative:
// ENOEXEC (not such a file), ENOMEM.
[[nodiscard]] long map_image(Map& window, const ArchiveFile& file, ImageAddresses& addresses);

}  // namespace osp::kernel
