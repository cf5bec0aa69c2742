#include "pip/intent.h"

#include <algorithm>

namespace osp::pip {
namespace {

constexpr unsigned rename_exchange = 2;

// The id of what is at `path`; 0: nothing.
uint64_t id_at(Server& server, std::string_view path) {
  const auto attributes = server.stat(path);
  return attributes ? attributes->id : 0;
}

Result<bool> append_happened(Server& server, const Intent& intent) {
  auto opened = server.open(intent.path, {.read = true, .write = true});
  if (!opened) return fail(opened.error().code);
  File& file = *opened->file;
  std::string there(intent.data.size(), '\0');
  OSP_ASSIGN(const size_t size, file.read(intent.size, std::as_writable_bytes(std::span(there))));
  if (size == 0 || there.substr(0, size) != intent.data.substr(0, size)) return false;
  if (size == intent.data.size()) {
    OSP_TRY(file.close());  // where nobody else has it open, this is the commit that would have followed
    return true;
  }
  const std::string_view rest = std::string_view(intent.data).substr(size);
  OSP_TRY(file.write(intent.size + size, std::as_bytes(std::span(rest))));
  OSP_TRY(file.close());
  return true;
}

bool rename_happened(Server& server, const Intent& intent) {
  const uint64_t from = id_at(server, intent.path);
  const uint64_t to = id_at(server, intent.second);
  if ((intent.flags & rename_exchange) != 0) return to == intent.id && from == intent.second_id;
  return to == intent.id && from != intent.id;
}

}  // namespace

void encode(const Intent& intent, Writer& out) {
  out.u64(intent.tag), out.u16(intent.index), out.u8(static_cast<uint8_t>(intent.effect)), out.u32(intent.flags);
  out.bytes(intent.path), out.bytes(intent.second), out.bytes(intent.data);
  out.u64(intent.id), out.u64(intent.second_id), out.u64(intent.size);
}

Intent decode_intent(Reader& in) {
  Intent intent;
  intent.tag = in.u64(), intent.index = in.u16(), intent.effect = static_cast<Intent::Effect>(in.u8());
  intent.flags = in.u32();
  intent.path = in.bytes(), intent.second = in.bytes(), intent.data = in.bytes();
  intent.id = in.u64(), intent.second_id = in.u64(), intent.size = in.u64();
  return intent;
}

Result<bool> happened(Server& server, const Intent& intent) {
  switch (intent.effect) {
    case Intent::Effect::create:
    case Intent::Effect::make:
      return id_at(server, intent.path) != 0;
    case Intent::Effect::remove:
      return id_at(server, intent.path) != intent.id;
    case Intent::Effect::rename:
      return rename_happened(server, intent);
    case Intent::Effect::link:
      return id_at(server, intent.second) == intent.id;
    case Intent::Effect::append:
      return append_happened(server, intent);
    case Intent::Effect::set_attribute: {
      const auto value = server.get_attribute(intent.path, intent.second);
      return value && *value == intent.data;
    }
    case Intent::Effect::remove_attribute:
      return !server.get_attribute(intent.path, intent.second);
  }
  return fail(EBADMSG);
}

}  // namespace osp::pip
