#include "pip/cache/read_ahead.h"

#include <sys/stat.h>

#include <algorithm>

namespace osp::pip {
namespace {

constexpr size_t most_sequences = 64;
constexpr size_t most_ahead = 128;
constexpr size_t reach = 4;  // so many places further is still one after the other

bool is_wanted(const KnownTree::Entry& entry) {
  const Attributes& a = entry.entry.attributes;
  return entry.is_known && S_ISREG(a.mode) && a.links == 1 && a.size <= ReadAhead::small && entry.content == nullptr;
}

const KnownTree::Entry& entry_at(const std::pair<const std::string, KnownTree::Entry>& at) { return at.second; }
const KnownTree::Entry& entry_at(const std::pair<const uint64_t, const KnownTree::Entry*>& at) { return *at.second; }

// Whether `now` comes soon after `before`.
template <class Iterator>
bool follows(Iterator before, Iterator now, Iterator end) {
  for (size_t i = 0; i < reach && before != end; ++i)
    if (++before == now && now != end) return true;
  return false;
}

// Of the next `ahead` after `from`, those that are wanted; none, while enough of them are known.
template <class Iterator>
std::vector<const KnownTree::Entry*> wanted_after(Iterator from, Iterator end, size_t ahead) {
  std::vector<const KnownTree::Entry*> wanted;
  size_t known = 0;
  for (size_t i = 0; i < ahead && from != end && ++from != end; ++i) {
    const KnownTree::Entry& entry = entry_at(*from);
    if (is_wanted(entry)) {
      wanted.push_back(&entry);
    } else {
      ++known;
    }
  }
  return known > ahead / 2 ? std::vector<const KnownTree::Entry*>() : wanted;
}

}  // namespace

std::vector<const KnownTree::Entry*> ReadAhead::opened(const KnownTree::Directory& directory,
                                                       const KnownTree::Entry& file) {
  if (sequences_.size() > most_sequences && !sequences_.contains(directory.path)) sequences_.clear();
  const bool is_first = !sequences_.contains(directory.path);
  Sequence& sequence = sequences_[directory.path];
  if (is_first && is_running()) sequence.ahead = most_ahead;
  const std::string before = std::exchange(sequence.last, file.entry.name);
  if (is_first) return is_running() ? first_of(directory) : std::vector<const KnownTree::Entry*>();
  const auto last = directory.entries.find(before);
  if (before == sequence.last || last == directory.entries.end()) return {};
  const auto now = directory.entries.find(file.entry.name);
  const auto last_place = directory.in_order.find(last->second.place), now_place = directory.in_order.find(file.place);
  sequence.by_name = follows(last, now, directory.entries.end()) ? sequence.by_name + 1 : 0;
  sequence.by_place = follows(last_place, now_place, directory.in_order.end()) ? sequence.by_place + 1 : 0;
  const bool follows_on = std::max(sequence.by_name, sequence.by_place) > 0;
  streak_ = follows_on ? streak_ + 1 : 0;
  if (!follows_on) return {};
  is_by_place_ = sequence.by_place > sequence.by_name;
  auto wanted = is_by_place_ ? wanted_after(now_place, directory.in_order.end(), sequence.ahead)
                             : wanted_after(now, directory.entries.end(), sequence.ahead);
  if (!wanted.empty()) sequence.ahead = std::min(most_ahead, sequence.ahead * 2);
  return wanted;
}

std::vector<const KnownTree::Entry*> ReadAhead::first_of(const KnownTree::Directory& directory) const {
  std::vector<const KnownTree::Entry*> wanted;
  const auto take = [&wanted](const auto& all) {
    for (auto at = all.begin(); at != all.end() && wanted.size() < most_ahead; ++at)
      if (is_wanted(entry_at(*at))) wanted.push_back(&entry_at(*at));
  };
  is_by_place_ ? take(directory.in_order) : take(directory.entries);
  return wanted;
}

std::vector<std::string> ReadAhead::next_directories(const KnownTree::Directory& parent, std::string_view name,
                                                     size_t count) const {
  std::vector<std::string> next;
  const auto from = parent.entries.find(name);
  if (from == parent.entries.end()) return next;
  const auto take = [&](auto at, auto end) {
    while (at != end && ++at != end && next.size() < count)
      if (S_ISDIR(entry_at(*at).entry.attributes.mode)) next.push_back(entry_at(*at).entry.name);
  };
  if (is_by_place_) {
    take(parent.in_order.find(from->second.place), parent.in_order.end());
  } else {
    take(from, parent.entries.end());
  }
  return next;
}

}  // namespace osp::pip
