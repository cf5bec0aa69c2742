#include "pip/lock_table.h"

#include <algorithm>

namespace osp::pip {

void LockTable::ask(const Holder& holder, LockKind kind, Held& held) {
  if (!std::exchange(held.is_asked, true)) news_.push_back({.to = holder, .kind = kind});
}

void LockTable::tell_refused(File& file, const Holder& by, LockKind kind) {
  for (auto at = file.refused.begin(); at != file.refused.end();) {
    if (*at == by) {
      ++at;
      continue;
    }
    news_.push_back({.to = *at, .kind = kind, .is_retry = true});
    at = file.refused.erase(at);
  }
}

void LockTable::drop_empty(const Key& key) {
  const auto found = files_.find(key);
  if (found == files_.end()) return;
  std::erase_if(found->second.holders, [](const auto& entry) { return entry.second.locks.is_empty(); });
  if (found->second.holders.empty() && found->second.refused.empty()) files_.erase(found);
}

void LockTable::count(const Holder& holder, size_t before, size_t after) {
  size_t& pieces = pieces_[holder.ssid];
  pieces = pieces - before + after;
  if (pieces == 0) pieces_.erase(holder.ssid);
}

// All of the file, for who is alone with it.
LockRange LockTable::widest(const File& file, const Holder& holder, const LockRange& wanted, LockType most) {
  const bool is_alone = std::ranges::all_of(file.holders, [&](const auto& entry) { return entry.first == holder; }) &&
                        std::ranges::all_of(file.refused, [&](const Holder& other) { return other == holder; });
  return is_alone ? LockRange{.type = std::max(wanted.type, most)} : wanted;
}

Result<LockTable::Answer> LockTable::lock(Holder holder, uint64_t id, LockKind kind, const LockRange& wanted,
                                          LockType most, const Reachable& is_reachable) {
  const Key key{id, kind};
  File& file = files_[key];
  Answer refusal{.state = State::granted, .range = wanted};
  for (auto& [other, held] : file.holders) {
    const auto conflict = other == holder || wanted.type == LockType::none ? std::nullopt : held.locks.conflict(wanted);
    if (!conflict) continue;
    if (!held.is_exact) ask(other, kind, held);
    const bool may_yield = held.is_asked && is_reachable(other.ssid);
    if (refusal.state == State::granted || !may_yield)
      refusal = {.state = may_yield ? State::asked_for : State::in_use, .range = *conflict};
  }
  if (refusal.state != State::granted) return file.refused.insert(holder), refusal;
  Held& own = file.holders[holder];
  const RangeLocks before = own.locks;
  const LockRange range = wanted.type == LockType::none ? wanted : widest(file, holder, wanted, most);
  own.locks.set(range);
  const size_t pieces = own.locks.all().size(), others = pieces_[holder.ssid] - before.all().size();
  if (pieces > before.all().size() && (pieces > most_lock_ranges || others + pieces > most_of_session)) {
    own.locks = before;
    count(holder, 0, 0);
    drop_empty(key);
    return fail(ENOLCK);
  }
  count(holder, before.all().size(), pieces);
  if (range != wanted) own.is_exact = false;
  file.refused.erase(holder);
  // Who has less than before has made room.
  if (range.type != LockType::exclusive &&
      before.conflict({.type = LockType::shared, .first = range.first, .last = range.last}))
    tell_refused(file, holder, kind);
  if (wanted.type == LockType::none) tell_refused(file, holder, kind);
  drop_empty(key);
  return Answer{.state = State::granted, .range = range};
}

bool LockTable::keep(Holder holder, uint64_t id, LockKind kind, const RangeLocks& left) {
  const Key key{id, kind};
  const auto file = files_.find(key);
  if (file == files_.end()) return false;
  const auto found = file->second.holders.find(holder);
  if (found == file->second.holders.end() || !found->second.is_asked) return false;
  RangeLocks now = found->second.locks;
  now.intersect(left);
  if (now.all().size() <= most_lock_ranges) {
    count(holder, found->second.locks.all().size(), now.all().size());
    found->second.locks = std::move(now);
  }
  found->second.is_asked = false;
  found->second.is_exact = true;
  tell_refused(file->second, holder, kind);
  drop_empty(key);
  return true;
}

void LockTable::drop(Holder holder, uint64_t id) {
  for (const LockKind kind : {LockKind::range, LockKind::whole}) {
    const Key key{id, kind};
    const auto file = files_.find(key);
    if (file == files_.end()) continue;
    file->second.refused.erase(holder);
    if (const auto found = file->second.holders.find(holder); found != file->second.holders.end()) {
      count(holder, found->second.locks.all().size(), 0);
      file->second.holders.erase(found);
      tell_refused(file->second, holder, kind);
    }
    drop_empty(key);
  }
}

void LockTable::restore(Holder holder, uint64_t id, LockKind kind, const RangeLocks& held) {
  if (held.is_empty()) return;
  files_[Key{id, kind}].holders[holder].locks = held;
  count(holder, 0, held.all().size());
}

const RangeLocks* LockTable::held(Holder holder, uint64_t id, LockKind kind) const {
  const auto file = files_.find(Key{id, kind});
  if (file == files_.end()) return nullptr;
  const auto found = file->second.holders.find(holder);
  return found == file->second.holders.end() ? nullptr : &found->second.locks;
}

std::vector<LockTable::News> LockTable::unanswered(uint32_t ssid) const {
  std::vector<News> all;
  for (const auto& [key, file] : files_)
    for (const auto& [holder, held] : file.holders)
      if (holder.ssid == ssid && held.is_asked) all.push_back({.to = holder, .kind = key.second});
  return all;
}

}  // namespace osp::pip
