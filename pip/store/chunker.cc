#include "pip/store/chunker.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace osp::pip::store {
namespace {

// The numbers of SplitMix64 from the seed 0.
constexpr std::array<uint64_t, 256> make_gear() {
  std::array<uint64_t, 256> gear{};
  uint64_t state = 0;
  for (uint64_t& one : gear) {
    state += 0x9e3779b97f4a7c15U;
    uint64_t mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    one = mixed ^ (mixed >> 31);
  }
  return gear;
}

constexpr auto gear = make_gear();
// The top bits depend on the last 64 bytes. Before the usual size a cut is four times rarer, after it as much likelier.
constexpr uint64_t top_bits(unsigned count) { return ~uint64_t{0} << (64 - count); }
constexpr uint64_t mask_before = top_bits(18);
constexpr uint64_t mask_after = top_bits(14);

}  // namespace

size_t Chunker::cut(std::string_view bytes) {
  const size_t size = std::min(bytes.size(), most);
  if (size <= least) return size;
  uint64_t hash = 0;
  for (size_t i = least; i < size; ++i) {
    hash = (hash << 1) + gear[static_cast<unsigned char>(bytes[i])];
    if ((hash & (i < usual ? mask_before : mask_after)) == 0) return i + 1;
  }
  return size;
}

}  // namespace osp::pip::store
