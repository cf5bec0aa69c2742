#include "pip/group_runner.h"

#include "base/log.h"
#include "pip/codec.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr size_t head_size = 1 + 4 + 8 + 2 + 2;  // Rgroup's type and fields
constexpr uint32_t error_reserve = 256;
constexpr uint32_t reply_reserve = 8192;  // kept free for the small replies that follow a read

// Whose failure must not turn into success when the group is sent again.
bool may_change(const Message& message) {
  return !std::holds_alternative<Tread>(message) && !std::holds_alternative<Topen>(message) &&
         !std::holds_alternative<Tping>(message) && !std::holds_alternative<Tflush>(message) &&
         !std::holds_alternative<Tattach>(message) && !std::holds_alternative<Tlist>(message) &&
         !std::holds_alternative<Trelease>(message);
}

bool is_error(std::string_view reply) { return !reply.empty() && static_cast<uint8_t>(reply[0]) == Rerror::type; }

}  // namespace

std::string GroupRunner::run(const Tgroup& head, const std::vector<Message>& messages) {
  tag_ = head.tag;
  flags_ = head.flags;
  mutated_ = (flags_ & flag_ordered) != 0;  // running it again later would be out of order
  reply_.assign(head_size, '\0');
  if (!session_.state.steps.empty())  // begun before a restart
    for (const auto& [number, record] : session_.state.fids)
      if (record.is_name) name_fids_.push_back(number);
  for (size_t i = 0; i < messages.size(); ++i) {
    starts_.push_back(reply_.size());
    const bool good = run_one(static_cast<uint16_t>(i), messages[i]);
    if (!good && (flags_ & flag_each) == 0) break;
  }
  std::string front;
  const Rgroup answer{.csid = session_.csid, .tag = tag_, .flags = 0, .count = static_cast<uint16_t>(starts_.size())};
  if (encode_message(answer, options_, front)) reply_.replace(0, head_size, front);
  finish(head.acked);
  return std::move(reply_);
}

// Runs a message, or takes its reply from before a restart. False: the reply is an error.
bool GroupRunner::run_one(uint16_t index, const Message& message) {
  index_ = index;
  const size_t start = reply_.size();
  if (const auto step = session_.state.steps.find({tag_, index}); step != session_.state.steps.end()) {
    reply_ += step->second;
    stepwise_ = mutated_ = true;
    return !is_error(step->second);
  }
  auto done = std::visit([this](const auto& value) { return handle(value); }, message);
  if (!done) {
    reply_.resize(start);
    reply_error(index, done.error());
    mutated_ = mutated_ || may_change(message);
  }
  if (stepwise_) write_step(index);
  return done.has_value();
}

Walked<void> GroupRunner::reply(const Message& message) {
  if (auto encoded = encode_message(message, options_, reply_); !encoded)
    return std::unexpected(WalkError(encoded.error()));
  return {};
}

void GroupRunner::reply_error(uint16_t index, const WalkError& error) {
  const bool fits = reply_.size() + error.target.size() + error_reserve < msize_;
  Rerror reply{.ename = describe(Error(error.code)),
               .number = static_cast<uint32_t>(error.code),
               .index = index,
               .consumed = static_cast<uint32_t>(error.consumed),
               .target = error.target,
               .which = static_cast<uint8_t>(error.which)};
  if (!fits) reply.number = EMSGSIZE, reply.target = {}, reply.ename = {};
  (void)encode_message(reply, options_, reply_);
}

bool GroupRunner::is_resolved() const {
  const auto& resolved = session_.state.resolved;
  return resolved && resolved->tag == tag_ && resolved->index == index_;
}

// With nothing at `path` now, finding something there later means that it was done.
Walked<bool> GroupRunner::begin_if_absent(const std::string& path, Intent intent) {
  if (!is_resolved()) {
    const auto there = server().stat(path);
    if (there || there.error().code != ENOENT) return false;  // the call itself will say what is wrong
  }
  return begin(std::move(intent));
}

Walked<bool> GroupRunner::begin(Intent intent) {
  intent.tag = tag_, intent.index = index_;
  if (is_resolved()) {
    stepwise_ = mutated_ = true;
    return true;
  }
  if (!stepwise_) {
    stepwise_ = true;
    for (uint16_t i = 0; i < index_; ++i) write_step(i);
  }
  if (auto written = session_.write(record::intent(intent)); !written)
    return std::unexpected(WalkError(written.error()));
  mutated_ = true;
  return false;
}

// The fids' changes since the last step go with it.
void GroupRunner::write_step(uint16_t index) {
  if (session_.state.steps.contains({tag_, index})) return;
  const size_t end = index + size_t{1} < starts_.size() ? starts_[index + size_t{1}] : reply_.size();
  const std::string_view reply = std::string_view(reply_).substr(starts_[index], end - starts_[index]);
  if (!session_.write(record::step(tag_, index, reply, changes_)))
    log::warn("pip", "a session's journal cannot be written");
  for (const auto& [number, change] : changes_)
    if (const auto fid = session_.fids.find(number); fid != session_.fids.end()) fid->second.durable = true;
  changes_.clear();
}

void GroupRunner::finish(uint64_t acked) {
  end_name_fids();
  SessionState& state = session_.state;
  // A group that only opened things may run again after a restart; what else left a trace may not.
  bool only_opened = !mutated_;
  for (const auto& [number, change] : changes_) only_opened = only_opened && change.has_value();
  const bool durable = mutated_ || !changes_.empty();
  if (durable) {
    const std::string_view body = only_opened ? std::string_view() : std::string_view(reply_);
    if (!session_.write(record::result(tag_, acked, body, changes_)))
      log::warn("pip", "a session's journal cannot be written");
    for (const auto& [number, change] : changes_)
      if (const auto fid = session_.fids.find(number); fid != session_.fids.end()) fid->second.durable = true;
  }
  std::erase_if(state.steps, [this](const auto& step) { return step.first.first == tag_; });
  if (state.resolved && state.resolved->tag == tag_) state.resolved.reset();
  // What was only read, and is long, is read again if it is asked for again: many of these would take much room.
  constexpr size_t most_kept = 64 * 1024;
  if (durable || reply_.size() <= most_kept)
    state.retained[tag_] = {.body = reply_, .durable = durable && !only_opened};
  for (const FidRecord& record : gone_) tree_.closed(record);  // only now: until here it might be opened again
  session_.compact();
}

void GroupRunner::end_name_fids() {
  for (const uint32_t number : name_fids_)
    if (const auto at = session_.state.fids.find(number); at != session_.state.fids.end() && at->second.is_name)
      drop_fid(number);
}

Walked<GroupRunner::Found> GroupRunner::find(uint32_t number) {
  const auto record = session_.state.fids.find(number);
  const auto fid = session_.fids.find(number);
  if (record == session_.state.fids.end() || fid == session_.fids.end()) return std::unexpected(WalkError(EBADF));
  return Found{.record = record->second, .fid = fid->second};
}

Walked<File*> GroupRunner::file_of(uint32_t number) {
  OSP_ASSIGN(const Found found, find(number));
  if (found.record.is_name) return std::unexpected(WalkError(EBADF));
  if (found.fid.is_root) {
    if (const auto opened = reopen(server(), found.record, found.fid); !opened)
      return std::unexpected(WalkError(opened.error()));
    found.fid.is_root = false;
  }
  if (!found.fid.file) return std::unexpected(WalkError(ESTALE));
  return found.fid.file.get();
}

Walked<std::string> GroupRunner::join(uint32_t number, std::string_view path) {
  OSP_ASSIGN(const Found found, find(number));
  if (const auto checked = check_path(path); !checked) return std::unexpected(WalkError(checked.error()));
  std::string whole = found.record.path;
  if (!whole.empty() && !path.empty()) whole += '/';
  whole += path;
  if (!path.empty() && is_held(whole)) return std::unexpected(WalkError(ENOENT));
  return whole;
}

Walked<void> GroupRunner::may_name(std::string_view path) const {
  return session_.access.may_name(path) ? Walked<void>{} : std::unexpected(WalkError(EACCES));
}

Walked<void> GroupRunner::room_for_fid(uint32_t number) {
  constexpr size_t most_fids = 65536;
  if (number == no_fid) return {};
  const auto there = session_.state.fids.find(number);
  if (there == session_.state.fids.end())
    return session_.fids.size() < most_fids ? Walked<void>{} : std::unexpected(WalkError(EMFILE));
  // Only the same group may make it again: after a restart, when its answer was lost.
  if (there->second.made_by != tag_) return std::unexpected(WalkError(EBUSY));
  drop_fid(number);
  return {};
}

void GroupRunner::add_fid(uint32_t number, FidRecord record, OpenFid fid) {
  record.made_by = tag_;
  if (record.is_name) name_fids_.push_back(number);
  tree_.opened(record);
  changes_[number] = record;
  session_.state.fids[number] = std::move(record);
  session_.fids[number] = std::move(fid);
}

void GroupRunner::drop_fid(uint32_t number) {
  const auto fid = session_.fids.find(number);
  if (fid == session_.fids.end()) return;
  if (fid->second.durable) {
    changes_[number] = std::nullopt;
  } else {
    changes_.erase(number);
  }
  session_.fids.erase(fid);
  const auto record = session_.state.fids.find(number);
  tree_.locks().drop({.ssid = session_.ssid, .fid = number}, record->second.id);
  gone_.push_back(std::move(record->second));
  session_.state.fids.erase(record);
}

// How much of `wanted` bytes still fits into this answer.
Walked<uint32_t> GroupRunner::room(uint32_t wanted) const {
  const size_t reserve = std::min<size_t>(reply_reserve, msize_ / 4);
  const size_t used = reply_.size() + reserve;
  if (used >= msize_) return std::unexpected(WalkError(EMSGSIZE));
  return static_cast<uint32_t>(std::min<size_t>(wanted, msize_ - used));
}

}  // namespace osp::pip
