#include "pip/session_state.h"

#include "pip/packing.h"

namespace osp::pip {

void SessionState::acknowledge(uint64_t up_to) {
  if (up_to <= acked) return;
  acked = up_to;
  retained.erase(retained.begin(), retained.upper_bound(up_to));
}

namespace record {
namespace {

enum class Type : uint8_t { session = 1, intent, step, result, resolved, fids, has_leases };

constexpr uint8_t is_name_flag = 1, was_flag = 2, locks_flag = 4;  // of a fid; older journals have only the first ones

struct Builder {
  std::string bytes;
  Writer out{bytes};
  explicit Builder(Type type) { out.u8(static_cast<uint8_t>(type)); }
};

bool has_locks(const FidRecord& record) { return !record.locks[0].is_empty() || !record.locks[1].is_empty(); }

void encode_changes(const FidChanges& changes, Writer& out) {
  out.u32(static_cast<uint32_t>(changes.size()));
  for (const auto& [fid, record] : changes) {
    out.u32(fid);
    out.u8(record.has_value() ? 1 : 0);
    if (!record) continue;
    out.bytes(record->path), out.bytes(mode_text(record->mode)), out.u64(record->id), out.u64(record->made_by);
    out.u8((record->is_name ? is_name_flag : 0) | (record->was.empty() ? 0 : was_flag) |
           (has_locks(*record) ? locks_flag : 0));
    if (!record->was.empty()) out.bytes(record->was);
    if (has_locks(*record))
      for (const RangeLocks& locks : record->locks) out.bytes(pack(locks));
  }
}

void apply_changes(Reader& in, SessionState& state) {
  for (uint32_t left = in.u32(); left > 0 && in.ok(); --left) {
    const uint32_t fid = in.u32();
    if (in.u8() == 0) {
      state.fids.erase(fid);
      continue;
    }
    FidRecord fid_record;
    fid_record.path = in.bytes();
    fid_record.mode = parse_mode(in.bytes()).value_or(OpenMode{});
    fid_record.id = in.u64(), fid_record.made_by = in.u64();
    const uint8_t flags = in.u8();
    fid_record.is_name = (flags & is_name_flag) != 0;
    if ((flags & was_flag) != 0) fid_record.was = in.bytes();
    if ((flags & locks_flag) != 0)
      for (RangeLocks& locks : fid_record.locks)
        locks = unpack_locks(in.bytes()).value_or(RangeLocks(LockRange{.type = LockType::exclusive}));
    if (in.ok()) state.fids[fid] = std::move(fid_record);
  }
}

void finish_group(uint64_t tag, SessionState& state) {
  std::erase_if(state.steps, [tag](const auto& step) { return step.first.first == tag; });
  if (state.intent && state.intent->tag == tag) state.intent.reset();
  if (state.resolved && state.resolved->tag == tag) state.resolved.reset();
  std::erase_if(state.fids, [tag](const auto& fid) { return fid.second.is_name && fid.second.made_by == tag; });
}

void apply_result(Reader& in, SessionState& state) {
  const uint64_t tag = in.u64();
  const uint64_t acked = in.u64();
  const std::string body(in.bytes());
  apply_changes(in, state);
  if (!in.ok()) return;
  finish_group(tag, state);
  if (!body.empty()) state.retained[tag] = {.body = body, .durable = true};
  state.acknowledge(acked);
}

void apply_step(Reader& in, SessionState& state) {
  const uint64_t tag = in.u64();
  const uint16_t index = in.u16();
  state.steps[{tag, index}] = in.bytes();
  state.intent.reset();
  apply_changes(in, state);
}

void apply_resolved(Reader& in, SessionState& state) {
  const bool did_happen = in.u8() != 0;
  Intent intent = decode_intent(in);
  state.intent.reset();
  state.resolved.reset();
  if (did_happen) state.resolved = std::move(intent);
}

}  // namespace

std::string session(const SessionState& state) {
  Builder b(Type::session);
  b.out.u32(state.linger_s);
  b.out.u64(state.acked);
  b.out.bytes(state.owner);
  return b.bytes;
}

std::string has_leases() { return Builder(Type::has_leases).bytes; }

std::string intent(const Intent& intent) {
  Builder b(Type::intent);
  encode(intent, b.out);
  return b.bytes;
}

std::string step(uint64_t tag, uint16_t index, std::string_view reply, const FidChanges& changes) {
  Builder b(Type::step);
  b.out.u64(tag), b.out.u16(index), b.out.bytes(reply);
  encode_changes(changes, b.out);
  return b.bytes;
}

std::string result(uint64_t tag, uint64_t acked, std::string_view body, const FidChanges& changes) {
  Builder b(Type::result);
  b.out.u64(tag), b.out.u64(acked), b.out.bytes(body);
  encode_changes(changes, b.out);
  return b.bytes;
}

std::string resolved(const Intent& intent, bool did_happen) {
  Builder b(Type::resolved);
  b.out.u8(did_happen ? 1 : 0);
  encode(intent, b.out);
  return b.bytes;
}

std::string fids(const FidChanges& changes) {
  Builder b(Type::fids);
  encode_changes(changes, b.out);
  return b.bytes;
}

std::vector<std::string> snapshot(const SessionState& state) {
  std::vector<std::string> records = {session(state)};
  if (state.has_leases) records.push_back(has_leases());
  FidChanges all(state.fids.begin(), state.fids.end());
  records.push_back(fids(all));
  for (const auto& [tag, reply] : state.retained)
    if (reply.durable) records.push_back(result(tag, 0, reply.body, {}));
  for (const auto& [key, reply] : state.steps) records.push_back(step(key.first, key.second, reply, {}));
  if (state.resolved) records.push_back(resolved(*state.resolved, true));
  return records;
}

Result<void> apply(std::string_view bytes, SessionState& state) {
  Reader in(bytes);
  switch (static_cast<Type>(in.u8())) {
    case Type::session:
      state.linger_s = in.u32();
      state.acknowledge(in.u64());
      if (!in.rest().empty()) state.owner = in.bytes();  // not in journals from before there were owners
      break;
    case Type::intent:
      state.intent = decode_intent(in);
      break;
    case Type::step:
      apply_step(in, state);
      break;
    case Type::result:
      apply_result(in, state);
      break;
    case Type::resolved:
      apply_resolved(in, state);
      break;
    case Type::fids:
      apply_changes(in, state);
      break;
    case Type::has_leases:
      state.has_leases = true;
      break;
    default:
      return fail(EBADMSG);
  }
  return in.finished() ? Result<void>{} : fail(EBADMSG);
}

}  // namespace record
}  // namespace osp::pip
