#include "libosp/patch/boundary.h"

#include <algorithm>
#include <array>

namespace osp::patch {
namespace {

// The stretch of starts, in bytes before the address. A start nearer than `nearest` may not have
// synchronised yet: the middle of an instruction, or of the zeros in a long nop, is among them.
constexpr size_t farthest = 128;
constexpr size_t nearest = 28;
constexpr size_t fewest_votes = 12;

constexpr uint8_t none = 0xff;

}  // namespace

std::optional<Located> instruction_before(const Code& code, uint64_t address) {
  if (!code.contains(address, 0)) return std::nullopt;
  const size_t window = std::min<size_t>(farthest, address - code.start);
  const Bytes bytes = code.from(address - window).first(window);
  // last[i]: how far before the address the last instruction is when decoding begins i bytes before it.
  std::array<uint8_t, farthest + 1> last;
  last.fill(none);
  for (size_t distance = 1; distance <= window; ++distance) {
    const auto instruction = decode(bytes.last(distance));
    if (!instruction) continue;
    last[distance] =
        instruction->length == distance ? static_cast<uint8_t>(distance) : last[distance - instruction->length];
  }
  size_t votes = 0;
  uint8_t choice = none;
  for (size_t distance = nearest; distance <= window; ++distance) {
    if (last[distance] == none) continue;
    if (choice != none && last[distance] != choice) return std::nullopt;
    choice = last[distance];
    ++votes;
  }
  if (votes < fewest_votes) return std::nullopt;
  return Located{address - choice, *decode(bytes.last(choice))};
}

}  // namespace osp::patch
