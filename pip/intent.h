#pragma once

#include <string>

#include "pip/server.h"
#include "pip/wire.h"

namespace osp::pip {

// What the journal is told before an effect that cannot be repeated, so that a restarted server can find out
// whether it happened.
struct Intent {
  enum class Effect : uint8_t { create = 1, make, remove, rename, link, append, set_attribute, remove_attribute };

  uint64_t tag = 0;    // of the group
  uint16_t index = 0;  // of the message in it
  Effect effect = Effect::create;
  uint32_t flags = 0;
  std::string path{};
  std::string second{};  // the other path, or the attribute's name
  std::string data{};    // what is appended, or the attribute's value
  uint64_t id = 0;       // of the file at `path` before
  uint64_t second_id = 0;
  uint64_t size = 0;  // of the file before an append
};

void encode(const Intent& intent, Writer& out);
// Leaves `in` not ok() if it is malformed.
Intent decode_intent(Reader& in);

// Whether the effect took place, from what the tree looks like now. An append that was cut short is completed.
// An error: the tree could not be asked.
Result<bool> happened(Server& server, const Intent& intent);

}  // namespace osp::pip
