#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pip/udp/ack_ranges.h"
#include "pip/wire.h"

// What is in a datagram (docs/pip.md, "UDP"). Nothing blocks.
namespace osp::pip::udp {

// The client's choice, random: the server tells connections apart by it.
using ConnectionId = uint64_t;
using Token = std::array<uint8_t, 16>;

enum class Kind : uint8_t {
  handshake = 0xd1,  // sealed with a key that all know, against damage only
  sealed = 0xd2,
  unknown = 0xd3,  // the server's answer to one that it has no connection for: with that connection's token
};

struct Head {
  Kind kind = Kind::sealed;
  ConnectionId id = 0;
  uint64_t number = 0;  // counts the datagrams of a kind and direction
};

constexpr size_t head_size = 1 + 8 + 8;
constexpr size_t seal_size = 16;
constexpr size_t ack_frame_size = 1 + 4 + 1, range_size = 8 + 8;
constexpr size_t unknown_size = 1 + 8 + sizeof(Token);
constexpr size_t base_datagram = 1200;  // that every path takes (RFC 9000, 14.1)
// An answer to a challenge, one of our own and an acknowledgement: no more than three times any datagram that is taken.
constexpr size_t least_datagram = head_size + seal_size + 2 * (1 + 8) + ack_frame_size + range_size;
constexpr size_t most_datagram = 65507;  // of IPv4
constexpr size_t most_ranges_sent = 16;  // in a frame of acknowledgement

// Nothing: it is none of ours.
std::optional<Head> read_head(std::string_view datagram);
std::string head_bytes(const Head& head);
std::string unknown_datagram(ConnectionId id, const Token& token);
std::optional<Token> read_unknown(std::string_view datagram);

enum class FrameType : uint8_t {
  padding = 0,
  ping = 1,
  ack = 2,
  data = 3,       // of the connection's bytes
  handshake = 4,  // of the handshake's
  window = 5,     // up to where the other may send
  challenge = 6,  // whether it is there
  response = 7,
  close = 8,
  token = 9,  // what the server says when it does not know this connection any more
};

struct Frame {
  FrameType type = FrameType::ping;
  uint64_t value = 0;           // offset, challenge, errno
  uint32_t delay_us = 0;        // ack: since its largest number came
  std::string_view bytes{};     // points into what was read
  std::vector<Range> ranges{};  // newest first
};

constexpr size_t data_frame_size = 1 + 8 + 2;  // and its bytes

// The next frame but padding; nothing: that was all. EBADMSG.
Result<std::optional<Frame>> next_frame(Reader& in);
void put_frame(const Frame& frame, std::string& out);

}  // namespace osp::pip::udp
