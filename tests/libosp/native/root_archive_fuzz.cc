#include <cstdint>
#include <cstdlib>

#include "libosp/native/root_archive.h"

namespace {

using osp::ns::MemNode;

// Reads all that is below `directory`.
void visit(const MemNode& directory) {
  for (const auto& [name, node] : directory.children) {
    std::byte some[64];
    if (name.empty() || name.find('/') != std::string::npos || node->attributes.links == 0) std::abort();
    const uint64_t size = node->contents.size();
    if (size > 0) (void)node->contents.read(size - 1, some);
    const auto lent = node->contents.lent(0, UINT64_MAX);
    if (lent ? lent->size() != size : lent.error().code != EIO) std::abort();
    visit(*node);
  }
}

}  // namespace

// libFuzzer: any bytes as a root archive; what is taken can be read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t limit = 16 << 20;
  const auto server =
      osp::native::read_root_archive(std::as_bytes(std::span(data, size)), {.size_limit = limit}, limit);
  if (!server && server.error().reason.empty()) std::abort();
  if (server) visit(*(*server)->tree().root());
  return 0;
}
