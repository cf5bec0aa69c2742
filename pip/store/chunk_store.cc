#include "pip/store/chunk_store.h"

#include <fmt/format.h>
#include <sodium.h>

#include <cstring>

namespace osp::pip::store {

ChunkId ChunkId::of(std::string_view contents) {
  ChunkId id;
  crypto_generichash(id.bytes.data(), size, reinterpret_cast<const unsigned char*>(contents.data()), contents.size(),
                     nullptr, 0);
  return id;
}

ChunkId ChunkId::from(std::string_view view) {
  ChunkId id;
  memcpy(id.bytes.data(), view.data(), size);
  return id;
}

std::string ChunkId::text() const {
  std::string text = "blake2b-256:";
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace osp::pip::store
