#include "pip/directory_lister.h"

#include <sys/stat.h>

#include <deque>

#include "base/log.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr size_t entries_at_once = 128;

}  // namespace

uint64_t DirectoryLister::lease(const std::string& path) {
  const uint64_t number = tree_.leases().grant(session_.ssid, path);
  if (number == 0 || std::exchange(session_.state.has_leases, true)) return number;
  if (!session_.write(record::has_leases())) log::warn("pip", "a session's journal cannot be written");
  return number;
}

bool DirectoryLister::is_plain(const std::string& path) {
  const auto names = server_.list_attributes(path);
  return names ? names->empty() : names.error().code == EOPNOTSUPP;
}

Walked<void> DirectoryLister::read_entries(ListedDirectory& listed, File& directory, size_t room) {
  size_t size = 0;
  for (uint64_t next = 0;;) {
    auto entries = directory.read_directory(next, entries_at_once);
    if (!entries) return std::unexpected(WalkError(entries.error()));
    if (entries->empty()) return {};
    next += entries->size();
    for (DirectoryEntry& entry : *entries) {
      if (listed.path.empty() && entry.name == held_directory) continue;
      size += packed_size(entry) + 5;  // its length and flags
      if (size > room) return std::unexpected(WalkError(EMSGSIZE));
      entry.attributes = tree_.shown(entry.attributes);
      const bool is_directory = S_ISDIR(entry.attributes.mode);  // its own lease says so
      const bool plain = !is_directory && is_plain(join_paths(listed.path, entry.name));
      listed.entries.push_back({.entry = std::move(entry), .is_plain = plain});
    }
  }
}

Walked<void> DirectoryLister::read_all(ListedDirectory& listed, size_t room) {
  OSP_ASSIGN(const Opened opened, server_.open(listed.path, {.read = true, .directory = true}));
  const auto attributes = opened.file->stat();
  if (!attributes) return std::unexpected(WalkError(attributes.error()));
  listed.attributes = *attributes;
  return read_entries(listed, *opened.file, room);
}

// The lease comes first: what changes from then on is told.
Walked<ListedDirectory> DirectoryLister::list_one(const std::string& path, size_t room) {
  const size_t own_size = 4 + path.size() + 8 + 1 + 4 + packed_attributes_size + 4;
  if (own_size > room) return std::unexpected(WalkError(EMSGSIZE));
  const bool had_lease = tree_.leases().has(session_.ssid, path);
  ListedDirectory listed{.path = path, .lease = lease(path)};
  auto read = read_all(listed, room - own_size);
  if (!read) {
    if (!had_lease) tree_.leases().release(session_.ssid, listed.lease);
    return std::unexpected(read.error());
  }
  listed.is_plain = is_plain(path);
  listed.is_exclusive = made_ != nullptr && *made_ == path && tree_.leases().make_exclusive(session_.ssid, path);
  return listed;
}

Walked<std::string> DirectoryLister::list(const std::string& path, unsigned depth, size_t count) {
  std::string packed;
  std::deque<std::pair<std::string, unsigned>> next = {{path, depth}};
  while (!next.empty()) {
    const auto [here, left] = std::move(next.front());
    next.pop_front();
    const auto listed = list_one(here, count - packed.size());
    if (!listed && packed.empty()) return std::unexpected(listed.error());
    if (!listed && listed.error().code == EMSGSIZE) break;
    if (!listed) continue;
    pack(*listed, packed);
    if (left <= 1) continue;
    for (const ListedEntry& entry : listed->entries)
      if (S_ISDIR(entry.entry.attributes.mode)) next.emplace_back(join_paths(here, entry.entry.name), left - 1);
  }
  return packed;
}

}  // namespace osp::pip
