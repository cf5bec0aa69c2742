#pragma once

#include <cstddef>
#include <string_view>

namespace osp::pip::store {

// Cuts contents where the contents say, so that what is inserted moves few cuts: a gear hash with two masks, after
// "FastCDC" (Xia and others, USENIX ATC 2016). docs/store.md pins the table; another one only dedups less.
class Chunker {
 public:
  static constexpr size_t least = 16U << 10;
  static constexpr size_t usual = 64U << 10;
  static constexpr size_t most = 256U << 10;

  // How long the chunk at the front of `bytes` is. Where fewer than `most` bytes follow, `bytes` must be all that
  // follow. Depends on nothing before them. 0 only of nothing. Does not block.
  static size_t cut(std::string_view bytes);
};

}  // namespace osp::pip::store
