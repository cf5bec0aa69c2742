#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pip/intent.h"
#include "pip/range_locks.h"
#include "pip/server.h"

// The part of a session that outlives the server, and the journal records it is rebuilt from.
namespace osp::pip {

// What is needed to open a fid again.
struct FidRecord {
  std::string path;   // whole, from the root
  std::string was{};  // of one with a hidden name: the path before, by which rights to it are judged
  OpenMode mode;
  uint64_t id = 0;       // the file's
  uint64_t made_by = 0;  // tag
  bool is_name = false;  // a name fid: nothing is open, and it ends with its group
  std::array<RangeLocks, lock_kinds> locks{};
};

// Fids that came (or moved) and fids that went.
using FidChanges = std::map<uint32_t, std::optional<FidRecord>>;

struct Retained {
  std::string body;      // the Rgroup, without length
  bool durable = false;  // it is in the journal too
};

struct SessionState {
  std::string token;
  std::string owner;  // whose it is: only the same peer may resume it
  uint32_t linger_s = 0;
  bool has_leases = false;  // or had; which ones, nobody remembers
  uint64_t acked = 0;
  std::map<uint32_t, FidRecord> fids;
  std::map<uint64_t, Retained> retained;                       // by tag
  std::map<std::pair<uint64_t, uint16_t>, std::string> steps;  // replies of a group not yet finished
  std::optional<Intent> intent;                                // the last word of the journal: did it happen?
  std::optional<Intent> resolved;                              // one that did, whose group the client will send again

  // The client has these answers.
  void acknowledge(uint64_t up_to);
};

namespace record {
std::string session(const SessionState& state);
std::string has_leases();
std::string intent(const Intent& intent);
std::string step(uint64_t tag, uint16_t index, std::string_view reply, const FidChanges& changes);
// An empty body: the group may simply run again.
std::string result(uint64_t tag, uint64_t acked, std::string_view body, const FidChanges& changes);
std::string resolved(const Intent& intent, bool did_happen);
std::string fids(const FidChanges& changes);
// The records that say all of `state`.
std::vector<std::string> snapshot(const SessionState& state);
// EBADMSG: no record of ours.
Result<void> apply(std::string_view record, SessionState& state);
}  // namespace record

}  // namespace osp::pip
