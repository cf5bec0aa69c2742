#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pip/store/chunk_store.h"

namespace osp::pip::store {

// A run of a file's bytes: a chunk, or a hole, which reads as zeros.
struct Piece {
  uint64_t length = 0;
  std::optional<ChunkId> chunk;  // none: a hole
  friend bool operator==(const Piece&, const Piece&) = default;
};

// What one version of a file holds: few bytes in themselves, or pieces. Many pieces are kept in lists that are chunks
// too, so that a new version of a large file shares most lists with the one before. Copies are cheap.
class Content {
 public:
  static constexpr size_t most_inline = 4096;  // bytes

  Content() = default;  // of an empty file
  static Content of(std::string bytes);
  // All of it a hole.
  static Content hole(uint64_t size);

  // EBADMSG: no such record. `chunks` must outlive the content and its copies.
  static Result<Content> decode(std::string_view record, ChunkStore& chunks);
  // Puts lists that are not in the store yet. Blocks.
  Result<std::string> encode(ChunkStore& chunks);

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] bool is_inline() const { return bytes_.has_value(); }
  // Fills `into` from `offset` on; zeros beyond the end.
  Result<void> read(uint64_t offset, std::span<std::byte> into, ChunkStore& chunks) const;

  struct At {
    uint64_t start = 0;
    Piece piece;
  };
  // The piece that holds the byte at `offset`, which is below size(). Not of what is inline.
  Result<At> at(uint64_t offset) const;
  // Puts `pieces` in the place of the bytes from `start` to `end`; both are where pieces begin or end, or in holes.
  Result<void> replace(uint64_t start, uint64_t end, const std::vector<Piece>& pieces);

  struct Visitor {
    std::function<Result<bool>(const ChunkId&)> list;  // whether to look into it
    std::function<Result<void>(const Piece&)> piece;
  };
  Result<void> visit(const Visitor& visitor) const;
  [[nodiscard]] uint64_t allocated() const { return is_inline() ? size_ : allocated_; }  // bytes that are no holes

 private:
  struct List {
    uint64_t length = 0;     // bytes of the file
    uint64_t allocated = 0;  // of them, those that are no holes
    std::optional<ChunkId> stored{};
    std::shared_ptr<const std::vector<Piece>> pieces{};  // null: it is in the store only
  };
  Result<std::shared_ptr<const std::vector<Piece>>> load(const List& list) const;
  static List list_of(std::vector<Piece> pieces);
  [[nodiscard]] std::pair<size_t, uint64_t> find_list(uint64_t offset) const;
  void set_lists(size_t first, size_t last, const std::vector<Piece>& pieces);
  bool count();  // false: longer than a file can be

  uint64_t size_ = 0;
  uint64_t allocated_ = 0;
  std::optional<std::string> bytes_;
  std::vector<List> lists_;
  ChunkStore* chunks_ = nullptr;  // where lists are read from
};

}  // namespace osp::pip::store
