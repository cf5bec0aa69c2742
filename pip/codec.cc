#include "pip/codec.h"

#include <array>
#include <optional>

#include "pip/wire.h"

namespace osp::pip {
namespace {

struct FieldEncoder {
  Writer writer;
  OptionSet options;

  template <class T>
  void operator()(const char*, const T& value, Option option, const char*) {
    if (!options.has(option)) return;
    if constexpr (std::is_same_v<T, std::string_view>) {
      writer.bytes(value);
    } else {
      writer.number(value);
    }
  }
};

struct FieldDecoder {
  Reader& reader;
  OptionSet options;

  template <class T>
  void operator()(const char*, T& value, Option option, const char*) {
    if (!options.has(option)) return;
    if constexpr (std::is_same_v<T, std::string_view>) {
      value = reader.bytes();
    } else {
      value = reader.number<T>();
    }
  }
};

template <class T>
bool decode_as(Reader& reader, OptionSet options, Message& message) {
  if (!options.has(T::needs)) return false;
  visit_fields(message.emplace<T>(), FieldDecoder{reader, options});
  return reader.ok();
}

using DecodeFunction = bool (*)(Reader&, OptionSet, Message&);

constexpr std::array<DecodeFunction, 256> make_decoders() {
  std::array<DecodeFunction, 256> table{};
#define MESSAGE(name, code, option) table[code] = decode_as<name>;
#define FIELD(kind_, member, wire, option)
#define END()
#include "pip/messages.def"
  return table;
}
constexpr auto decoders = make_decoders();

bool decode_message(Reader& reader, OptionSet options, Message& message) {
  const DecodeFunction decode = decoders[reader.u8()];
  return decode != nullptr && reader.ok() && decode(reader, options, message);
}

// Messages that set up a connection, and groups, may not stand in a group.
bool may_be_in_group(const Message& message) {
  return !std::holds_alternative<Tproto>(message) && !std::holds_alternative<Rproto>(message) &&
         !std::holds_alternative<Tsession>(message) && !std::holds_alternative<Rsession>(message) &&
         !std::holds_alternative<Tgroup>(message) && !std::holds_alternative<Rgroup>(message);
}

std::optional<uint16_t> group_count(const Message& head) {
  if (const auto* group = std::get_if<Tgroup>(&head)) return group->count;
  if (const auto* group = std::get_if<Rgroup>(&head)) return group->count;
  return std::nullopt;
}

// Sets the length that was left open at `start`, or takes everything back.
Result<void> finish_packet(std::string& out, size_t start, uint32_t msize) {
  const size_t size = out.size() - start - 4;
  if (size > msize) {
    out.resize(start);
    return fail(EMSGSIZE);
  }
  put_number(out, start, static_cast<uint32_t>(size));
  return {};
}

}  // namespace

Result<void> encode_message(const Message& message, OptionSet options, std::string& out) {
  return std::visit(
      [&]<class T>(const T& value) -> Result<void> {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return fail(EINVAL);
        } else {
          if (!options.has(T::needs)) return fail(EPROTONOSUPPORT);
          out.push_back(static_cast<char>(T::type));
          T copy = value;  // a few views; visit_fields takes what decoding may change
          visit_fields(copy, FieldEncoder{Writer(out), options});
          return {};
        }
      },
      message);
}

Result<void> encode_packet(const Message& message, OptionSet options, uint32_t msize, std::string& out) {
  const size_t start = out.size();
  out.append(4, '\0');
  if (auto encoded = encode_message(message, options, out); !encoded) {
    out.resize(start);
    return encoded;
  }
  return finish_packet(out, start, msize);
}

Result<void> encode_group(Message head, std::vector<Message> const& messages, OptionSet options, uint32_t msize,
                          std::string& out) {
  const size_t start = out.size();
  if (auto* group = std::get_if<Tgroup>(&head)) group->count = static_cast<uint16_t>(messages.size());
  if (auto* group = std::get_if<Rgroup>(&head)) group->count = static_cast<uint16_t>(messages.size());
  out.append(4, '\0');
  Result<void> encoded = encode_message(head, options, out);
  for (const Message& message : messages)
    if (encoded) encoded = encode_message(message, options, out);
  if (!encoded) {
    out.resize(start);
    return encoded;
  }
  return finish_packet(out, start, msize);
}

Result<Packet> decode_body(std::string_view body, OptionSet options, uint16_t most_messages) {
  Reader reader(body);
  Packet packet;
  if (!decode_message(reader, options, packet.head)) return fail(EBADMSG);
  if (const auto count = group_count(packet.head)) {
    if (*count > most_messages) return fail(EMSGSIZE);
    if (*count > reader.rest().size()) return fail(EBADMSG);  // each message has a byte at least
    packet.messages.resize(*count);
    for (Message& message : packet.messages)
      if (!decode_message(reader, options, message) || !may_be_in_group(message)) return fail(EBADMSG);
  }
  if (!reader.finished()) return fail(EBADMSG);
  return packet;
}

void FrameReader::feed(std::string_view bytes) {
  if (taken_ > 0) {  // what was handed out is done with: keep only the rest
    buffer_.erase(0, taken_);
    taken_ = 0;
  }
  buffer_.append(bytes);
}

Result<std::string_view> FrameReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(taken_);
  if (rest.size() < 4) return std::string_view{};
  const uint32_t size = Reader(rest).u32();
  if (size == 0 || size > msize_) return fail(EMSGSIZE);
  if (rest.size() - 4 < size) return std::string_view{};
  taken_ += size_t{4} + size;
  return rest.substr(4, size);
}

}  // namespace osp::pip
