#include "pip/store/content_commit.h"

#include <algorithm>
#include <vector>

#include "pip/store/chunker.h"

namespace osp::pip::store {
namespace {

struct Range {
  uint64_t start = 0, end = 0;
};

class Committer {
 public:
  Committer(Content content, const Changes& changes, ChunkStore& chunks)
      : content_(std::move(content)), changes_(changes), chunks_(chunks) {}

  Result<Content> run() {
    OSP_TRY(fit());
    std::ranges::sort(dirty_, {}, &Range::start);
    for (next_ = 0; next_ < dirty_.size();) OSP_TRY(cut_anew());
    return std::move(content_);
  }

 private:
  // Gives the content the size of the file; what is to be read anew is a hole then, and in dirty_.
  Result<void> fit() {
    uint64_t keep = std::min(changes_.base_end, content_.size());
    if (content_.is_inline()) {
      if (keep > 0) dirty_.push_back({.start = 0, .end = keep});
      content_ = Content();
      keep = 0;
    } else if (keep < content_.size()) {
      OSP_ASSIGN(const Content::At cut, content_.at(keep));
      if (cut.start < keep && cut.piece.chunk) {
        dirty_.push_back({.start = cut.start, .end = keep});
        keep = cut.start;
      }
      OSP_TRY(content_.replace(keep, content_.size(), {}));
    }
    if (content_.size() < changes_.size)
      OSP_TRY(content_.replace(content_.size(), content_.size(),
                               {{.length = changes_.size - content_.size(), .chunk = {}}}));
    for (const auto& [start, end] : *changes_.extents)
      if (start < changes_.size) dirty_.push_back({.start = start, .end = std::min(end, changes_.size)});
    return {};
  }

  // One run: from the piece that the next dirty range begins in, until the cuts are those of before.
  Result<void> cut_anew() {
    OSP_ASSIGN(const Content::At first, content_.at(dirty_[next_].start));
    const uint64_t start = first.piece.chunk ? first.start : dirty_[next_].start;
    uint64_t position = start;
    uint64_t needed = dirty_[next_++].end;
    std::vector<Piece> pieces;
    buffer_.clear();
    while (true) {
      OSP_ASSIGN(const uint64_t limit, end_of_data(std::max(needed, position), position + Chunker::most));
      OSP_TRY(fill(position, limit));
      OSP_ASSIGN(const Piece piece, take(Chunker::cut(buffer_)));
      pieces.push_back(piece);
      position += piece.length;
      for (; next_ < dirty_.size() && dirty_[next_].start < position; ++next_)
        needed = std::max(needed, dirty_[next_].end);
      if (position < needed) continue;
      OSP_ASSIGN(const bool is_cut, is_cut_before(position));
      if (is_cut) break;
    }
    return content_.replace(start, position, pieces);
  }

  Result<bool> is_cut_before(uint64_t position) {
    if (position == changes_.size) return true;
    OSP_ASSIGN(const Content::At at, content_.at(position));
    return at.start == position || !at.piece.chunk;
  }

  // Where, from `needed` on, the first hole begins; at most `most`, or the end of the file.
  Result<uint64_t> end_of_data(uint64_t needed, uint64_t most) {
    most = std::min(most, changes_.size);
    while (needed < most) {
      OSP_ASSIGN(const Content::At at, content_.at(needed));
      if (!at.piece.chunk) return needed;
      needed = at.start + at.piece.length;
    }
    return most;
  }

  // Reads what follows what is in the buffer, which begins at `position`, up to `limit`.
  Result<void> fill(uint64_t position, uint64_t limit) {
    const size_t held = std::min<size_t>(buffer_.size(), limit - position);
    buffer_.resize(limit - position);
    return changes_.read(position + held, std::as_writable_bytes(std::span(buffer_)).subspan(held));
  }

  // Makes a piece of the front of the buffer.
  Result<Piece> take(size_t size) {
    const std::string_view bytes = std::string_view(buffer_).substr(0, size);
    Piece piece{.length = size, .chunk = {}};
    if (bytes.find_first_not_of('\0') != std::string_view::npos) {
      OSP_ASSIGN(piece.chunk, chunks_.put(bytes));
    }
    buffer_.erase(0, size);
    return piece;
  }

  Content content_;
  const Changes& changes_;
  ChunkStore& chunks_;
  std::vector<Range> dirty_;
  size_t next_ = 0;     // of dirty_
  std::string buffer_;  // of the file, from where the run has got to
};

}  // namespace

Result<Content> apply_changes(const Content& base, const Changes& changes, ChunkStore& chunks) {
  if (changes.size <= Content::most_inline) {
    std::string bytes(changes.size, '\0');
    OSP_TRY(changes.read(0, std::as_writable_bytes(std::span(bytes))));
    return Content::of(std::move(bytes));
  }
  return Committer(base, changes, chunks).run();
}

}  // namespace osp::pip::store
