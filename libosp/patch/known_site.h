#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "libosp/patch/plan.h"

namespace osp::patch {

// A file as it was when something was learned of it. version: memory::Backing::version.
struct FileVersion {
  uint64_t device = 0, inode = 0, version = 0;

  // A number that no other has but by chance (2^-63); never 0.
  [[nodiscard]] uint64_t name() const;
};

// A syscall or cpuid instruction of a file: what is known of it, without the code.
struct KnownSite {
  enum class State : uint8_t { unexamined = 1, ready, refused };
  State state = State::unexamined;
  uint64_t offset = 0;  // in the file, at most most_offset
  // Where `state` is ready. The rest of a Site, which is where the file is mapped.
  uint8_t displaced_size = 0, displacement_offset = 0;
  int padding_distance = 0;  // from the displaced instruction
  uint8_t padding_size = 0;
  uint8_t generation = 0;  // the first of the file's copies in which it is patched, from 1 on; 0: none

  static constexpr uint64_t most_offset = 0xffff'ffff;

  // What examine() said of the one at `offset`.
  static KnownSite of(const std::expected<Site, Refusal>& examined, uint64_t offset);
  // All of it in a word that is not 0, and back.
  [[nodiscard]] uint64_t packed() const;
  static KnownSite unpacked(uint64_t word);
  // The site in `code`, which has the file's byte `offset` at `address`. Nothing where other bytes are there now.
  [[nodiscard]] std::optional<Site> in(const Code& code, uint64_t address) const;
};

}  // namespace osp::patch
