#include "pip/cache/known_tree.h"

#include <sys/stat.h>

#include <algorithm>

#include "pip/access.h"
#include "pip/footprint.h"
#include "pip/past_path.h"

namespace osp::pip {
namespace {

// A file that has other names may be changed through these.
bool is_only_name(const Attributes& attributes) { return attributes.links == 1 && !S_ISDIR(attributes.mode); }

}  // namespace

KnownTree::Directory* KnownTree::find_directory(std::string_view path) {
  const auto found = directories_.find(path);
  if (found == directories_.end()) return nullptr;
  found->second.used = ++clock_;
  return &found->second;
}

KnownTree::Found KnownTree::find(std::string_view path) {
  // A store's past is in no listing of its root, and yet there (pip/past_path.h).
  if (path.starts_with(history_directory)) return {};
  if (const Directory* directory = find_directory(path)) {
    if (!directory->has_attributes) return {};
    return {.answer = Answer::here, .attributes = directory->attributes, .directory = directory};
  }
  if (path.empty()) return {};
  Directory* const parent = find_directory(directory_of(path));
  if (parent == nullptr) return find_above(path);
  const auto found = parent->entries.find(name_of(path));
  if (found == parent->entries.end()) return {.answer = Answer::absent};
  const Entry& entry = found->second;
  if (!entry.is_known || !is_only_name(entry.entry.attributes)) return {};
  return {.answer = Answer::here, .attributes = entry.entry.attributes, .entry = &entry};
}

// The walk may end before the path's own directory.
KnownTree::Found KnownTree::find_above(std::string_view path) {
  for (std::string_view above = directory_of(path); !above.empty();) {
    const std::string_view child = above;
    above = directory_of(above);
    Directory* const directory = find_directory(above);
    if (directory == nullptr) continue;
    const auto found = directory->entries.find(name_of(child));
    if (found == directory->entries.end()) return {.answer = Answer::absent};
    const Entry& entry = found->second;
    if (!entry.is_known || S_ISDIR(entry.entry.attributes.mode)) return {};
    if (!S_ISLNK(entry.entry.attributes.mode)) return {.answer = Answer::not_directory};
    if (entry.entry.target.empty()) return {};
    return {.answer = Answer::link, .consumed = child.size(), .target = entry.entry.target};
  }
  return {};
}

KnownTree::Entry* KnownTree::find_file(uint64_t id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  Directory* const directory = find_directory(found->second.first);
  if (directory == nullptr) return nullptr;
  const auto entry = directory->entries.find(found->second.second);
  const bool is_it = entry != directory->entries.end() && entry->second.is_known &&
                     entry->second.entry.attributes.id == id && is_only_name(entry->second.entry.attributes);
  return is_it ? &entry->second : nullptr;
}

void KnownTree::index(const Directory& directory, const Entry& entry) {
  if (is_only_name(entry.entry.attributes)) by_id_[entry.entry.attributes.id] = {directory.path, entry.entry.name};
}

std::vector<std::pair<std::string, uint64_t>> KnownTree::put(ListedDirectory listed, bool is_top) {
  std::vector<std::pair<std::string, uint64_t>> unneeded;
  std::map<std::string, Entry, std::less<>> known;  // before
  std::optional<Owner> makes;
  bool was_top = false;
  if (const auto old = directories_.find(listed.path); old != directories_.end()) {
    if (old->second.lease != listed.lease && old->second.lease != 0)
      unneeded.emplace_back(old->first, old->second.lease);
    if (old->second.lease == listed.lease) makes = old->second.makes;
    was_top = old->second.was_top;
    known.swap(old->second.entries);
    erase(old);
  }
  while (!directories_.empty() &&
         (directories_.size() >= limits_.directories || entries_ + listed.entries.size() > limits_.entries)) {
    const auto oldest = std::ranges::min_element(directories_, {}, [](const auto& one) { return one.second.used; });
    if (oldest->second.lease != 0) unneeded.emplace_back(oldest->first, oldest->second.lease);
    erase(oldest);
  }
  for (const auto& [name, entry] : known) forget_id(listed.path, entry);
  Directory& made = directories_[listed.path];
  made.path = listed.path;
  made.lease = listed.lease;
  made.attributes = listed.attributes;
  made.is_plain = listed.is_plain;
  made.was_top = is_top || was_top;
  made.makes = makes;
  made.is_exclusive = listed.is_exclusive;
  made.used = ++clock_;
  made.listed = listed.entries.size();
  entries_ += made.listed;
  by_lease_[listed.lease] = listed.path;
  for (ListedEntry& one : listed.entries) {
    std::string name = one.entry.name;
    if (made.entries.contains(name)) continue;
    Entry entry{.entry = std::move(one.entry), .place = made.next_place++, .is_plain = one.is_plain};
    if (const auto before = known.find(name); before != known.end()) keep_content(before->second, entry);
    index(made, entry);
    const Entry& there = made.entries.insert_or_assign(std::move(name), std::move(entry)).first->second;
    made.in_order[there.place] = &there;
  }
  for (auto& [name, entry] : known) drop_content(entry);
  return unneeded;
}

// Nothing but us could have changed it, and what we change is forgotten.
void KnownTree::keep_content(Entry& before, Entry& now) {
  const Attributes &old = before.entry.attributes, &attributes = now.entry.attributes;
  now.is_ours = before.is_ours;
  if (before.is_known && old.id == attributes.id && old.version == attributes.version)
    now.content = std::exchange(before.content, nullptr);
}

void KnownTree::put_last(Directory& directory, Entry& entry) {
  entry.place = directory.next_place++;
  directory.in_order[entry.place] = &entry;
}

void KnownTree::put_entry(std::string_view path, const Attributes& attributes) {
  if (Directory* const own = find_directory(path); own != nullptr && S_ISDIR(attributes.mode)) {
    own->attributes = attributes;
    own->has_attributes = true;
  }
  if (path.empty()) return;
  Directory* const directory = find_directory(directory_of(path));
  if (directory == nullptr || S_ISLNK(attributes.mode)) return;  // a link's target is not among them
  const std::string name(name_of(path));
  const auto [at, is_new] = directory->entries.try_emplace(name);
  Entry& entry = at->second;
  if (is_new) put_last(*directory, entry);
  if (!is_new && !std::exchange(entry.is_known, true)) --directory->unknown;
  if (entry.content && entry.entry.attributes.version != attributes.version) drop_content(entry);
  forget_id(directory->path, entry);
  entry.entry.name = name;
  entry.entry.attributes = attributes;
  index(*directory, entry);
}

void KnownTree::add_content(Entry& entry, uint64_t offset, std::string_view bytes) {
  if (!entry.content) entry.content = std::make_shared<Content>(entry.entry.attributes.size);
  const uint64_t before = entry.content->held();
  entry.content->add(offset, bytes);
  content_held_ += entry.content->held() - before;
  if (content_held_ > limits_.content) trim_content();
}

// All contents of the directories that were used longest ago, until half is free.
void KnownTree::trim_content() {
  std::vector<Directory*> oldest;
  for (auto& [path, directory] : directories_) oldest.push_back(&directory);
  std::ranges::sort(oldest, {}, &Directory::used);
  for (Directory* directory : oldest) {
    if (content_held_ <= limits_.content / 2) return;
    for (auto& [name, entry] : directory->entries) drop_content(entry);
  }
}

void KnownTree::drop_content(Entry& entry) {
  if (!entry.content) return;
  content_held_ -= std::min(content_held_, entry.content->held());
  entry.content = nullptr;
}

void KnownTree::forget_entry(Directory& directory, Entry& entry) {
  drop_content(entry);
  entry.is_plain = false;
  entry.entry.target.clear();
  if (std::exchange(entry.is_known, false)) ++directory.unknown;
}

void KnownTree::forget(std::string_view path) {
  if (Directory* const own = find_directory(path)) own->has_attributes = own->is_plain = false;
  if (path.empty()) return;
  Directory* const directory = find_directory(directory_of(path));
  if (directory == nullptr) return;
  const auto found = directory->entries.find(name_of(path));
  if (found != directory->entries.end()) forget_entry(*directory, found->second);
}

void KnownTree::forget_name(std::string_view path) {
  if (path.empty()) return;
  Directory* const directory = find_directory(directory_of(path));
  if (directory == nullptr) return;
  directory->has_attributes = false;
  const auto [at, is_new] = directory->entries.try_emplace(std::string(name_of(path)));
  if (is_new) {
    at->second.entry.name = name_of(path);
    put_last(*directory, at->second);
  }
  at->second.is_ours = false;
  forget_id(directory->path, at->second);
  at->second.entry.attributes.id = 0;
  forget_entry(*directory, at->second);
}

bool KnownTree::is_name_of(std::string_view path, uint64_t id) const {
  const auto directory = directories_.find(directory_of(path));
  if (path.empty() || directory == directories_.end()) return false;
  const auto found = directory->second.entries.find(name_of(path));
  if (found == directory->second.entries.end()) return false;
  const uint64_t known = found->second.entry.attributes.id;
  return known == id || (known == 0 && found->second.is_ours);
}

// Like what was listed, but nobody has told us its number and times.
void KnownTree::make(std::string_view path, const Attributes& attributes, uint64_t number) {
  Directory* const parent = find_directory(directory_of(path));
  if (parent == nullptr) return;
  const auto at = parent->entries.find(name_of(path));
  if (at == parent->entries.end()) return;
  at->second.is_ours = true;
  at->second.entry.attributes = attributes;
  if (number == 0 || !has_room()) return;
  Directory& made = directories_[std::string(path)] = {};
  made.path = path;
  made.has_attributes = false;
  made.making = number;
  made.used = ++clock_;
  if (is_open_to_owner(attributes.mode)) made.makes = parent->makes;
}

bool KnownTree::adopt(std::string_view path, uint64_t number, uint64_t lease) {
  const auto found = directories_.find(path);
  if (found == directories_.end() || found->second.making != number) return false;
  found->second.making = 0;
  found->second.lease = lease;
  by_lease_[lease] = found->first;
  return true;
}

bool KnownTree::unmake(std::string_view path, uint64_t number) {
  const auto found = directories_.find(path);
  if (found == directories_.end() || found->second.making != number) return false;
  erase(found);
  return true;
}

void KnownTree::forget_unleased() {
  for (auto at = directories_.begin(); at != directories_.end();) {
    const auto here = at++;
    if (here->second.making != 0) erase(here);
  }
}

void KnownTree::learn_owner(std::string_view directory, std::optional<Owner> owner) {
  if (Directory* const known = find_directory(directory)) known->makes = owner;
}

bool KnownTree::is_directory_name(std::string_view path) const {
  const auto directory = directories_.find(directory_of(path));
  if (directory == directories_.end()) return false;
  const auto found = directory->second.entries.find(name_of(path));
  return found != directory->second.entries.end() && found->second.is_known &&
         S_ISDIR(found->second.entry.attributes.mode);
}

std::optional<Attributes> KnownTree::ours(std::string_view path) const {
  const auto directory = directories_.find(directory_of(path));
  if (path.empty() || directory == directories_.end()) return std::nullopt;
  const auto found = directory->second.entries.find(name_of(path));
  if (found == directory->second.entries.end() || !found->second.is_ours) return std::nullopt;
  return found->second.entry.attributes;
}

void KnownTree::forget_file(uint64_t id) {
  if (Entry* const entry = find_file(id)) forget_entry(*find_directory(by_id_.at(id).first), *entry);
}

void KnownTree::remove(std::string_view path) {
  Directory* const directory = find_directory(directory_of(path));
  if (directory == nullptr) return;
  const auto found = directory->entries.find(name_of(path));
  if (found == directory->entries.end()) return;
  if (!found->second.is_known) --directory->unknown;
  drop_content(found->second);
  forget_id(directory->path, found->second);
  directory->in_order.erase(found->second.place);
  directory->entries.erase(found);
}

void KnownTree::forget_tree(std::string_view path) {
  for (auto at = directories_.lower_bound(path); at != directories_.end() && at->first.starts_with(path);) {
    const auto here = at++;
    if (is_within(here->first, path)) erase(here);
  }
  forget_name(path);
}

void KnownTree::forget_id(const std::string& directory, const Entry& entry) {
  const auto indexed = by_id_.find(entry.entry.attributes.id);
  if (indexed != by_id_.end() && indexed->second == std::pair(directory, entry.entry.name)) by_id_.erase(indexed);
}

void KnownTree::erase(Directories::iterator at) {
  entries_ -= std::min(entries_, at->second.listed);
  for (auto& [name, entry] : at->second.entries) {
    drop_content(entry);
    forget_id(at->first, entry);
  }
  by_lease_.erase(at->second.lease);
  directories_.erase(at);
}

bool KnownTree::end(uint64_t lease, std::string& path) {
  const auto found = by_lease_.find(lease);
  if (found == by_lease_.end()) return false;
  path = found->second;
  erase(directories_.find(path));
  return true;
}

void KnownTree::clear() {
  directories_.clear();
  by_lease_.clear();
  by_id_.clear();
  content_held_ = 0;
  entries_ = 0;
}

}  // namespace osp::pip
