#include "libosp/memory/filled.h"

namespace osp::memory {
namespace {

Result<void> fill(std::span<std::byte> to, uint64_t offset, Contents contents) {
  for (size_t done = 0; done < to.size();) {
    OSP_ASSIGN(const size_t got, contents(offset + done, to.subspan(done)));
    if (got == 0) break;
    done += got;
  }
  return {};
}

}  // namespace

Result<uintptr_t> map_filled(AddressSpace& memory, uintptr_t hint, size_t size, int protection, int flags,
                             uint64_t offset, std::shared_ptr<Backing> backing, Contents contents) {
  OSP_ASSIGN(const uintptr_t at, memory.map(hint, size, protection | PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1,
                                            offset, std::move(backing)));
  const std::span<std::byte> pages(reinterpret_cast<std::byte*>(at), size);
  auto done = fill(pages, offset, contents);
  if (done && (protection & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
    done = memory.protect(at, size, protection);
  if (done) return at;
  static_cast<void>(memory.unmap(at, size));
  return std::unexpected(done.error());
}

}  // namespace osp::memory
