#include "libosp/patch/known_site.h"

#include <algorithm>

namespace osp::patch {
namespace {

// Where its fields are in the word, by the lowest bit.
constexpr unsigned state_at = 0, padding_at = 2, displaced_at = 8, displacement_at = 12, distance_at = 16,
                   generation_at = 28, offset_at = 32;
constexpr uint64_t distance_mask = 0xfff;
constexpr int distance_bits = 12;

int signed_distance(uint64_t field) {
  const int value = static_cast<int>(field);
  return (value >> (distance_bits - 1)) != 0 ? value - (1 << distance_bits) : value;
}

// Instructions one after the other, none of which is a jump, which it would be to a trampoline.
bool are_whole(Bytes bytes) {
  while (!bytes.empty()) {
    const auto instruction = decode(bytes);
    if (!instruction || instruction->flow != Flow::next) return false;
    bytes = bytes.subspan(instruction->length);
  }
  return true;
}

}  // namespace

uint64_t FileVersion::name() const {
  constexpr uint64_t odd = 0x9e37'79b9'7f4a'7c15;
  uint64_t name = device;
  for (const uint64_t part : {inode, version}) name = (name ^ name >> 29) * odd + part;
  return (name ^ name >> 32) | 1;
}

uint64_t KnownSite::packed() const {
  return static_cast<uint64_t>(state) << state_at | uint64_t{padding_size} << padding_at |
         uint64_t{displaced_size} << displaced_at | uint64_t{displacement_offset} << displacement_at |
         (static_cast<uint64_t>(padding_distance) & distance_mask) << distance_at |
         uint64_t{generation} << generation_at | offset << offset_at;
}

KnownSite KnownSite::unpacked(uint64_t word) {
  return {.state = static_cast<State>(word >> state_at & 3),
          .offset = word >> offset_at,
          .displaced_size = static_cast<uint8_t>(word >> displaced_at & 0xf),
          .displacement_offset = static_cast<uint8_t>(word >> displacement_at & 0xf),
          .padding_distance = signed_distance(word >> distance_at & distance_mask),
          .padding_size = static_cast<uint8_t>(word >> padding_at & 0x3f),
          .generation = static_cast<uint8_t>(word >> generation_at & 0xf)};
}

KnownSite KnownSite::of(const std::expected<Site, Refusal>& examined, uint64_t offset) {
  if (!examined) return {.state = State::refused, .offset = offset};
  const Site& site = *examined;
  const bool padded = site.padding.size != 0;
  return {.state = State::ready,
          .offset = offset,
          .displaced_size = site.displaced_size,
          .displacement_offset = site.displacement_offset,
          .padding_distance = padded ? static_cast<int>(site.padding.address - site.displaced) : 0,
          .padding_size = site.padding.size};
}

std::optional<Site> KnownSite::in(const Code& code, uint64_t address) const {
  const auto kind = kind_at(code, address);
  Site site;
  site.at = address, site.displaced = address - displaced_size;
  if (!kind || !code.contains(site.displaced, displaced_size)) return std::nullopt;
  if (!are_whole(code.from(site.displaced).first(displaced_size))) return std::nullopt;
  site.kind = *kind;
  site.displaced_size = displaced_size, site.displacement_offset = displacement_offset;
  std::ranges::copy(code.from(site.displaced).first(displaced_size), site.displaced_bytes.begin());
  if (padding_size == 0) return site;
  site.padding = {site.displaced + static_cast<uint64_t>(int64_t{padding_distance}), padding_size};
  if (!is_padding(code, site.padding)) return std::nullopt;
  return site;
}

}  // namespace osp::patch
