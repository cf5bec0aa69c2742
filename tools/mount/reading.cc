#include "tools/mount/reading.h"

namespace osp::fuse {

Result<size_t> read_whole(pip::File& file, uint64_t offset, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    OSP_ASSIGN(const size_t size, file.read(offset + done, into.subspan(done)));
    if (size == 0) break;
    done += size;
  }
  return done;
}

}  // namespace osp::fuse
