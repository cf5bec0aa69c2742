#include "pip/store/content.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "pip/wire.h"

namespace osp::pip::store {
namespace {

enum Form : uint8_t { in_itself = 0, pieces_form = 1, lists_form = 2 };
constexpr size_t most_in_record = 128;  // pieces; more go to lists
constexpr size_t most_in_list = 256;

void encode_pieces(const std::vector<Piece>& pieces, Writer& out) {
  for (const Piece& piece : pieces) {
    out.u8(piece.chunk ? 1 : 0);
    out.u64(piece.length);
    if (piece.chunk) out.out().append(piece.chunk->view());
  }
}

std::optional<ChunkId> take_id(Reader& in) {
  if (in.rest().size() < ChunkId::size) return std::nullopt;
  const ChunkId id = ChunkId::from(in.rest());
  in = Reader(in.rest().substr(ChunkId::size));
  return id;
}

Result<std::vector<Piece>> decode_pieces(std::string_view bytes) {
  std::vector<Piece> pieces;
  Reader in(bytes);
  while (in.ok() && !in.rest().empty()) {
    const uint8_t kind = in.u8();
    Piece piece{.length = in.u64(), .chunk = {}};
    if (!in.ok() || kind > 1 || piece.length == 0 || piece.length > uint64_t{INT64_MAX}) return fail(EBADMSG);
    if (kind == 1) piece.chunk = take_id(in);
    if (kind == 1 && (piece.length > ChunkStore::most || !piece.chunk)) return fail(EBADMSG);
    pieces.push_back(piece);
  }
  if (!in.ok()) return fail(EBADMSG);
  return pieces;
}

// Appends, and joins holes that meet.
void add(std::vector<Piece>& pieces, const Piece& piece) {
  if (piece.length == 0) return;
  if (!piece.chunk && !pieces.empty() && !pieces.back().chunk) {
    pieces.back().length += piece.length;
  } else {
    pieces.push_back(piece);
  }
}

// Appends what of `pieces`, which begin at `position`, lies between `from` and `to`: all or nothing, but of holes.
void add_clipped(const std::vector<Piece>& pieces, uint64_t position, uint64_t from, uint64_t to,
                 std::vector<Piece>& out) {
  for (const Piece& piece : pieces) {
    const uint64_t start = std::max(position, from);
    position += piece.length;
    const uint64_t end = std::min(position, to);
    if (start < end) add(out, {.length = end - start, .chunk = piece.chunk});
  }
}

}  // namespace

Content Content::of(std::string bytes) {
  Content content;
  content.size_ = bytes.size();
  if (!bytes.empty()) content.bytes_ = std::move(bytes);
  return content;
}

Content Content::hole(uint64_t size) {
  Content content;
  content.size_ = size;
  if (size != 0) content.lists_.push_back(list_of({{.length = size, .chunk = {}}}));
  return content;
}

Content::List Content::list_of(std::vector<Piece> pieces) {
  List list;
  for (const Piece& piece : pieces) {
    if (piece.length > UINT64_MAX - list.length) list.length = UINT64_MAX - piece.length;  // count() finds it too long
    list.length += piece.length;
    if (piece.chunk) list.allocated += piece.length;
  }
  list.pieces = std::make_shared<const std::vector<Piece>>(std::move(pieces));
  return list;
}

bool Content::count() {
  size_ = allocated_ = 0;
  for (const List& list : lists_) {
    if (list.length > uint64_t{INT64_MAX} - size_) return false;
    size_ += list.length, allocated_ += list.allocated;
  }
  return true;
}

Result<Content> Content::decode(std::string_view record, ChunkStore& chunks) {
  Reader in(record);
  const uint8_t form = in.u8();
  Content content;
  content.chunks_ = &chunks;
  if (!in.ok() || form > lists_form) return fail(EBADMSG);
  if (form == in_itself) {
    content = of(std::string(in.rest()));
    content.chunks_ = &chunks;
    return content;
  }
  if (form == pieces_form) {
    OSP_ASSIGN(auto pieces, decode_pieces(in.rest()));
    content.lists_.push_back(list_of(std::move(pieces)));
  } else {
    while (in.ok() && !in.rest().empty()) {
      List list;
      list.length = in.u64(), list.allocated = in.u64();
      list.stored = take_id(in);
      if (!in.ok() || list.length == 0 || list.allocated > list.length || !list.stored) return fail(EBADMSG);
      content.lists_.push_back(list);
    }
    if (!in.ok()) return fail(EBADMSG);
  }
  if (!content.count()) return fail(EBADMSG);
  return content;
}

Result<std::string> Content::encode(ChunkStore& chunks) {
  std::string record;
  Writer out(record);
  chunks_ = &chunks;
  if (is_inline() || size_ == 0) {
    out.u8(in_itself);
    if (bytes_) record += *bytes_;
    return record;
  }
  const bool is_short = lists_.size() == 1 && lists_[0].pieces && lists_[0].pieces->size() <= most_in_record;
  out.u8(is_short ? pieces_form : lists_form);
  if (is_short) {
    encode_pieces(*lists_[0].pieces, out);
    return record;
  }
  for (List& list : lists_) {
    if (!list.stored) {
      std::string bytes;
      Writer writer(bytes);
      encode_pieces(*list.pieces, writer);
      OSP_ASSIGN(list.stored, chunks.put(bytes));
    }
    out.u64(list.length), out.u64(list.allocated);
    record.append(list.stored->view());
  }
  return record;
}

Result<void> Content::visit(const Visitor& visitor) const {
  for (const List& list : lists_) {
    bool is_wanted = true;
    if (list.stored) {
      OSP_ASSIGN(is_wanted, visitor.list(*list.stored));
    }
    if (!is_wanted) continue;
    OSP_ASSIGN(const auto pieces, load(list));
    for (const Piece& piece : *pieces) OSP_TRY(visitor.piece(piece));
  }
  return {};
}

Result<std::shared_ptr<const std::vector<Piece>>> Content::load(const List& list) const {
  if (list.pieces) return list.pieces;
  OSP_ASSIGN(const ChunkPtr bytes, chunks_->get(*list.stored));
  OSP_ASSIGN(auto pieces, decode_pieces(*bytes));
  const List loaded = list_of(std::move(pieces));
  if (loaded.length != list.length) return fail(EBADMSG);
  return loaded.pieces;
}

std::pair<size_t, uint64_t> Content::find_list(uint64_t offset) const {
  uint64_t start = 0;
  size_t index = 0;
  for (; index < lists_.size() && offset - start >= lists_[index].length; ++index) start += lists_[index].length;
  return {index, start};
}

Result<Content::At> Content::at(uint64_t offset) const {
  const auto [index, list_start] = find_list(offset);
  if (index == lists_.size()) return fail(EINVAL);
  OSP_ASSIGN(const auto pieces, load(lists_[index]));
  uint64_t start = list_start;
  for (const Piece& piece : *pieces) {
    if (offset - start < piece.length) return At{.start = start, .piece = piece};
    start += piece.length;
  }
  return fail(EBADMSG);
}

Result<void> Content::read(uint64_t offset, std::span<std::byte> into, ChunkStore& chunks) const {
  std::ranges::fill(into, std::byte{0});
  while (!into.empty() && offset < size_) {
    size_t count = 0;
    if (is_inline()) {
      count = std::min<size_t>(into.size(), size_ - offset);
      memcpy(into.data(), bytes_->data() + offset, count);
    } else {
      OSP_ASSIGN(const At found, at(offset));
      const uint64_t skip = offset - found.start;
      count = static_cast<size_t>(std::min<uint64_t>(into.size(), found.piece.length - skip));
      if (found.piece.chunk) {
        OSP_ASSIGN(const ChunkPtr bytes, chunks.get(*found.piece.chunk));
        if (bytes->size() != found.piece.length) return fail(EBADMSG);
        memcpy(into.data(), bytes->data() + skip, count);
      }
    }
    into = into.subspan(count);
    offset += count;
  }
  return {};
}

void Content::set_lists(size_t first, size_t last, const std::vector<Piece>& pieces) {
  std::vector<List> fresh;
  // In even parts, so that no list is left with a few.
  const size_t parts = (pieces.size() + most_in_list - 1) / most_in_list;
  for (size_t part = 0; part < parts; ++part) {
    const auto begin = pieces.begin() + static_cast<ptrdiff_t>(pieces.size() * part / parts);
    const auto end = pieces.begin() + static_cast<ptrdiff_t>(pieces.size() * (part + 1) / parts);
    fresh.push_back(list_of(std::vector<Piece>(begin, end)));
  }
  const auto from = lists_.begin() + static_cast<ptrdiff_t>(first);
  lists_.insert(lists_.erase(from, lists_.begin() + static_cast<ptrdiff_t>(last)), fresh.begin(), fresh.end());
  (void)count();
}

Result<void> Content::replace(uint64_t start, uint64_t end, const std::vector<Piece>& pieces) {
  bytes_.reset();
  // With the list before, so that what is appended piece by piece fills it.
  const auto [first, list_start] = find_list(start == 0 ? 0 : start - 1);
  std::vector<Piece> old;
  size_t last = first;
  uint64_t list_end = list_start;
  for (; last < lists_.size() && (list_end < end || last == first); ++last) {
    OSP_ASSIGN(const auto loaded, load(lists_[last]));
    old.insert(old.end(), loaded->begin(), loaded->end());
    list_end += lists_[last].length;
  }
  std::vector<Piece> merged;
  add_clipped(old, list_start, list_start, start, merged);
  for (const Piece& piece : pieces) add(merged, piece);
  add_clipped(old, list_start, end, list_end, merged);
  set_lists(first, last, merged);
  return {};
}

}  // namespace osp::pip::store
