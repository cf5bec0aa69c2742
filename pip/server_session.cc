#include "pip/server_session.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "base/log.h"

namespace osp::pip {
namespace {

constexpr size_t least_compaction = 1U << 20;

std::optional<std::string> moved(const std::string& path, const std::string& from, const std::string& to) {
  return is_within(path, from) ? std::optional(to + path.substr(from.size())) : std::nullopt;
}

}  // namespace

void ServerSession::restrict_to(Server& server, const Access& to) {
  if (access != to) {
    access = to;
    restricted = to.is_everything() ? nullptr : std::make_unique<RestrictedServer>(server, to);
  }
  if (restricted == nullptr) return;
  for (auto& [number, fid] : fids) {  // also where it is as before: files may have been moved
    const FidRecord& record = state.fids.at(number);
    const std::string& path = record.was.empty() ? record.path : record.was;
    if (fid.file == nullptr) continue;
    if (!RestrictedServer::may_open(to, path, record.mode)) {
      fid.file.reset();
    } else if (!to.may_write(path) && !std::exchange(fid.is_read_only, true)) {
      fid.file = RestrictedServer::read_only(std::move(fid.file));
    }
  }
}

std::optional<std::string> ServerSession::path_of(uint32_t fid) const {
  const auto found = state.fids.find(fid);
  return found == state.fids.end() ? std::nullopt : std::optional(found->second.path);
}

void ServerSession::compact() {
  if (journal->size() <= compact_above) return;
  if (!journal->replace(record::snapshot(state))) return;
  compact_above = std::max(least_compaction, 2 * journal->size());
}

void Export::opened(const FidRecord& record) {
  if (record.is_name) return;
  ++open_count_[record.id];
  if (is_held(record.path)) held_[record.path] = record.id;
}

void Export::closed(const FidRecord& record) {
  if (record.is_name) return;
  if (const auto found = open_count_.find(record.id); found != open_count_.end() && --found->second == 0)
    open_count_.erase(found);
  const auto has_it = [&](const FidRecord& other) { return other.path == record.path; };
  if (!is_held(record.path) || any_fid(has_it)) return;
  remove_held(record.path);
}

void Export::remove_held(const std::string& held) {
  held_.erase(held);
  (void)server_.remove(held, false);
  (void)server_.remove(held_directory, true);  // ENOTEMPTY: others are held
}

Attributes Export::shown(Attributes attributes) const {
  const auto hidden = std::ranges::count(held_, attributes.id, &std::pair<const std::string, uint64_t>::second);
  attributes.links -= std::min(attributes.links, static_cast<uint64_t>(hidden));
  return attributes;
}

bool Export::has_other_names(const std::string& held) {
  const auto attributes = server_.stat(held);
  return attributes && shown(*attributes).links > 0;
}

std::string Export::hold(const std::string& path) {
  if (!durable_ || open_count_.empty()) return {};
  const auto attributes = server_.stat(path);
  if (!attributes || !S_ISREG(attributes->mode) || !open_count_.contains(attributes->id)) return {};
  const uint64_t id = attributes->id;
  const auto is_it = [&](const FidRecord& record) { return record.id == id && record.path == path && !record.is_name; };
  if (!any_fid(is_it)) return {};  // whoever has it open has it by another of its names
  (void)server_.make(held_directory, {.mode = S_IFDIR | 0700});
  std::string held;
  Walked<void> linked;
  do {
    held = fmt::format("{}/{:x}.{}", held_directory, attributes->id, held_count_++);
    linked = server_.link(path, held);
  } while (!linked && linked.error().code == EEXIST);
  if (!linked) return {};
  held_[held] = id;
  repath([&](const FidRecord& record) { return is_it(record) ? std::optional(held) : std::nullopt; });
  return held;
}

void Export::release(const std::string& held, const std::string& path) {
  if (held.empty()) return;
  repath([&](const FidRecord& record) { return record.path == held ? std::optional(path) : std::nullopt; });
  remove_held(held);
}

void Export::renamed(const std::string& from, const std::string& to, bool exchanged) {
  repath([&](const FidRecord& record) {
    auto path = moved(record.path, from, to);
    return path || !exchanged ? path : moved(record.path, to, from);
  });
}

template <class Predicate>
bool Export::any_fid(Predicate&& predicate) const {
  return std::ranges::any_of(sessions_, [&](const auto& session) {
    return std::ranges::any_of(session.second->state.fids, [&](const auto& fid) { return predicate(fid.second); });
  });
}

template <class Replace>
void Export::repath(Replace&& replace) {
  for (auto& [ssid, session] : sessions_) {
    FidChanges changes;
    for (auto& [number, record] : session->state.fids) {
      auto path = replace(record);
      if (!path) continue;
      if (is_held(*path) && !is_held(record.path)) record.was = record.path;
      record.path = std::move(*path);
      if (!is_held(record.path)) record.was.clear();
      if (const auto fid = session->fids.find(number); fid != session->fids.end() && fid->second.durable)
        changes[number] = record;
    }
    if (changes.empty()) continue;
    if (!session->write(record::fids(changes))) log::warn("pip", "a session's journal cannot be written");
  }
}

void Export::sweep() {
  const auto directory = server_.open(held_directory, {.read = true, .directory = true});
  if (!directory) return;
  const auto entries = directory->file->read_directory(0, SIZE_MAX);
  if (!entries) return;
  for (const DirectoryEntry& entry : *entries) {
    const std::string path = fmt::format("{}/{}", held_directory, entry.name);
    const bool used = any_fid([&](const FidRecord& record) { return record.path == path; });
    if (!used) (void)server_.remove(path, false);
  }
  (void)server_.remove(held_directory, true);
}

Result<void> reopen(Server& server, const FidRecord& record, OpenFid& fid) {
  OpenMode mode = record.mode;
  mode.create = mode.exclusive = mode.truncate = false;
  auto opened = server.open(record.path, mode);
  if (!opened && opened.error().code == EACCES) {
    // Made with permissions that forbid what its maker may do (0444 and writing): lend them for a moment.
    const auto before = server.stat(record.path);
    AttributeChange lend;
    lend.has_mode = true, lend.mode = before ? before->mode | 0600U : 0;
    if (before && server.change(record.path, lend)) {
      opened = server.open(record.path, mode);
      lend.mode = before->mode;
      (void)server.change(record.path, lend);
    }
  }
  if (!opened) return fail(opened.error().code);
  if (record.id != 0 && opened->attributes.id != record.id) return fail(ESTALE);
  fid.file = std::move(opened->file);
  fid.is_directory = S_ISDIR(opened->attributes.mode);
  return {};
}

}  // namespace osp::pip
