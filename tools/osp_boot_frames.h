#pragma once

#include <cstdint>
#include <vector>

#include "tools/osp_boot_cpio.h"

namespace osp::tools {

// Compresses an archive in frames, with the table of them that libosp/native/frames.h reads.
//
// The archive is `size` bytes from the beginning of the file `from`. The contents of the files in `large`, which are in
// order, get frames of their own, so that to read headers or another file does not unpack them. The frames are written
// to `to` from offset `begin` on; where they end is returned.
BootResult<uint64_t> write_frames(int from, uint64_t size, const std::vector<Extent>& large, int to, uint64_t begin);

}  // namespace osp::tools
