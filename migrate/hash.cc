#include "migrate/hash.h"

#include <fmt/format.h>

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace osp::migrate {
namespace {

static_assert(sizeof(XXH3_state_t) == 576 && alignof(XXH3_state_t) <= 64);

// The state lies in a byte array so that hash.h needs no xxhash.h; Hasher's constructor begins its lifetime.
XXH3_state_t* as_state(std::byte* bytes) { return reinterpret_cast<XXH3_state_t*>(bytes); }
const XXH3_state_t* as_state(const std::byte* bytes) { return reinterpret_cast<const XXH3_state_t*>(bytes); }

}  // namespace

uint64_t hash64(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string to_hex(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

Hasher::Hasher() : state_{} { XXH3_128bits_reset(as_state(state_.data())); }

void Hasher::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(as_state(state_.data()), bytes.data(), bytes.size());
}

Digest Hasher::digest() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(as_state(state_.data())));
  Digest digest;
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

}  // namespace osp::migrate
