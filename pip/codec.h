#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pip/message.h"

// Packets to bytes and back. A packet is length[4] and a body: one message, or a group header and its messages.
namespace osp::pip {

// A decoded body. `head` is Tgroup or Rgroup when it is a group, else the message itself.
struct Packet {
  Message head;
  std::vector<Message> messages;  // of a group

  [[nodiscard]] bool is_group() const {
    return std::holds_alternative<Tgroup>(head) || std::holds_alternative<Rgroup>(head);
  }
};

// Appends type[1] and the fields that `options` allow. EPROTONOSUPPORT: the message needs an option.
Result<void> encode_message(const Message& message, OptionSet options, std::string& out);

// Appends a whole packet with its length. EMSGSIZE: the body would be over `msize`; nothing is appended then.
Result<void> encode_packet(const Message& message, OptionSet options, uint32_t msize, std::string& out);
// The same for a group; the head's Count is set from `messages`.
Result<void> encode_group(Message head, std::vector<Message> const& messages, OptionSet options, uint32_t msize,
                          std::string& out);

// Decodes one body (without its length). Views in the result point into `body`. Nothing is allocated beyond
// `most_messages` messages. EBADMSG: an unknown type, a length beyond the end, bytes left over, a message in a
// group that may not be there, an option not agreed to; EMSGSIZE: too many messages.
Result<Packet> decode_body(std::string_view body, OptionSet options, uint16_t most_messages);

// Cuts a byte stream into bodies.
class FrameReader {
 public:
  explicit FrameReader(uint32_t msize) : msize_(msize) {}
  void limit(uint32_t msize) { msize_ = msize; }
  void feed(std::string_view bytes);
  // The next whole body, or an empty view if more bytes are needed; valid until the next feed().
  // EMSGSIZE: a length of 0 or over msize; the stream is of no more use.
  Result<std::string_view> next();

 private:
  std::string buffer_;
  size_t taken_ = 0;  // bytes of buffer_ handed out already
  uint32_t msize_;
};

// "πp+resume+linux"; and back: the options known here of the first "πp…" word. EPROTONOSUPPORT: there is none.
std::string option_text(OptionSet options);
Result<OptionSet> parse_options(std::string_view text);

// For traces: `Topen Fid 0 Nfid 1 Path "a/b" Mode "r"`; data longer than 32 bytes is cut and its size told.
std::string print(const Message& message);
std::string print(const Packet& packet);

// The rows of docs/pip.md's message table (Markdown).
std::string message_table();

}  // namespace osp::pip
