#include "libosp/patch/padding.h"

#include <algorithm>

namespace osp::patch {
namespace {

constexpr uint8_t int3 = 0xcc;
constexpr uint64_t function_alignment = 16;
constexpr size_t most_padding = 16;

bool leaves(Flow flow) { return flow == Flow::jump || flow == Flow::ret || flow == Flow::stop; }

size_t int3_run(Bytes bytes) {
  size_t size = 0;
  while (size < std::min(bytes.size(), most_padding) && bytes[size] == int3) ++size;
  return size;
}

// The size of the nops from `address` to the next 16-byte boundary, or 0 if they do not end there.
size_t nop_run(const Code& code, uint64_t address) {
  const size_t wanted = (0 - address) % function_alignment;
  if (!code.contains(address, wanted)) return 0;
  const Bytes bytes = code.from(address).first(wanted);
  size_t size = 0;
  while (size < wanted) {
    const auto instruction = decode(bytes.subspan(size));
    if (!instruction || !is_nop(*instruction)) return 0;
    size += instruction->length;
  }
  return size;
}

bool may_begin_padding(uint8_t byte) {
  return byte == int3 || byte == 0x90 || byte == 0x66 || byte == 0x0f || byte == 0x2e;
}

std::optional<Padding> padding_at(const Code& code, uint64_t address) {
  const Bytes bytes = code.from(address);
  if (bytes.empty() || !may_begin_padding(bytes[0])) return std::nullopt;
  const bool traps = bytes[0] == int3;
  const size_t size = traps ? int3_run(bytes) : nop_run(code, address);
  if (size < long_jump_size) return std::nullopt;
  const auto before = instruction_before(code, address);
  if (!before || (!traps && !leaves(before->instruction.flow))) return std::nullopt;
  return Padding{address, static_cast<uint8_t>(size)};
}

}  // namespace

bool is_padding(const Code& code, const Padding& padding) {
  if (!code.contains(padding.address, padding.size) || padding.size < long_jump_size) return false;
  const Bytes bytes = code.from(padding.address);
  return bytes[0] == int3 ? int3_run(bytes) >= padding.size : nop_run(code, padding.address) >= padding.size;
}

std::optional<Padding> find_padding(const Code& code, uint64_t jump, uint64_t resume) {
  const uint64_t origin = jump + short_jump_size;
  for (uint64_t at = resume; at <= origin + 127 && at < code.end(); ++at)
    if (const auto padding = padding_at(code, at)) return padding;
  for (uint64_t distance = long_jump_size; distance <= 128 - short_jump_size; ++distance) {
    if (jump - code.start < distance) break;
    const auto padding = padding_at(code, jump - distance);
    if (padding && padding->address + padding->size <= jump) return padding;
  }
  return std::nullopt;
}

}  // namespace osp::patch
