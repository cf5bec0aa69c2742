#include "pip/udp/packet.h"

#include <algorithm>

namespace osp::pip::udp {
namespace {

bool is_known(uint8_t kind) {
  return kind >= static_cast<uint8_t>(Kind::handshake) && kind <= static_cast<uint8_t>(Kind::unknown);
}

std::string_view view(const Token& token) { return {reinterpret_cast<const char*>(token.data()), token.size()}; }

// Each below the one before, with a gap between.
Result<std::vector<Range>> read_ranges(Reader& in) {
  std::vector<Range> ranges(in.u8());
  for (Range& range : ranges) {
    range.first = in.u64();
    range.last = in.u64();
    const bool is_below = &range == ranges.data() || range.last < (&range - 1)->first;
    if (!in.ok() || range.first > range.last || !is_below) return fail(EBADMSG);
  }
  if (ranges.empty()) return fail(EBADMSG);
  return ranges;
}

Result<std::string_view> take(Reader& in, size_t size) {
  const std::string_view rest = in.rest();
  if (!in.ok() || rest.size() < size) return fail(EBADMSG);
  in = Reader(rest.substr(size));
  return rest.substr(0, size);
}

}  // namespace

std::optional<Head> read_head(std::string_view datagram) {
  Reader in(datagram);
  const uint8_t kind = in.u8();
  if (!is_known(kind)) return std::nullopt;
  Head head{.kind = static_cast<Kind>(kind), .id = in.u64(), .number = 0};
  if (head.kind != Kind::unknown) head.number = in.u64();
  return in.ok() ? std::optional(head) : std::nullopt;
}

std::string head_bytes(const Head& head) {
  std::string bytes;
  Writer out(bytes);
  out.u8(static_cast<uint8_t>(head.kind));
  out.u64(head.id);
  out.u64(head.number);
  return bytes;
}

std::string unknown_datagram(ConnectionId id, const Token& token) {
  std::string bytes;
  Writer out(bytes);
  out.u8(static_cast<uint8_t>(Kind::unknown));
  out.u64(id);
  return bytes += view(token);
}

std::optional<Token> read_unknown(std::string_view datagram) {
  if (datagram.size() != unknown_size) return std::nullopt;
  Token token;
  std::ranges::copy(datagram.substr(1 + 8), token.begin());
  return token;
}

Result<std::optional<Frame>> next_frame(Reader& in) {
  while (in.rest().starts_with('\0')) (void)in.u8();
  if (in.finished()) return std::nullopt;
  Frame frame{.type = static_cast<FrameType>(in.u8())};
  switch (frame.type) {
    case FrameType::padding:
    case FrameType::ping:
      break;
    case FrameType::ack: {
      frame.delay_us = in.u32();
      OSP_ASSIGN(frame.ranges, read_ranges(in));
      break;
    }
    case FrameType::data:
    case FrameType::handshake: {
      frame.value = in.u64();
      OSP_ASSIGN(frame.bytes, take(in, in.u16()));
      break;
    }
    case FrameType::window:
    case FrameType::challenge:
    case FrameType::response:
    case FrameType::close:
      frame.value = in.u64();
      break;
    case FrameType::token: {
      OSP_ASSIGN(frame.bytes, take(in, sizeof(Token)));
      break;
    }
    default:
      return fail(EBADMSG);
  }
  return in.ok() ? Result<std::optional<Frame>>(std::move(frame)) : fail(EBADMSG);
}

void put_frame(const Frame& frame, std::string& out) {
  Writer writer(out);
  writer.u8(static_cast<uint8_t>(frame.type));
  if (frame.type == FrameType::ping) return;
  if (frame.type == FrameType::token) return void(out += frame.bytes);
  if (frame.type != FrameType::ack) writer.u64(frame.value);
  if (frame.type == FrameType::data || frame.type == FrameType::handshake) {
    writer.u16(static_cast<uint16_t>(frame.bytes.size()));
    out += frame.bytes;
  }
  if (frame.type != FrameType::ack) return;
  writer.u32(frame.delay_us);
  writer.u8(static_cast<uint8_t>(std::min(frame.ranges.size(), most_ranges_sent)));
  for (size_t i = 0; i < std::min(frame.ranges.size(), most_ranges_sent); ++i) {
    writer.u64(frame.ranges[i].first);
    writer.u64(frame.ranges[i].last);
  }
}

}  // namespace osp::pip::udp
