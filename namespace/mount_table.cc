#include "namespace/mount_table.h"

#include <algorithm>
#include <utility>

namespace osp::ns {
namespace {

// The command that adds `member` to the mount point; `order` is its flag: 'a', 'b', or 0 to replace.
std::string command_of(const Mount& mount, const Member& member, char order) {
  std::string flags;
  if (order != 0) flags += order;
  if (member.create) flags += 'c';
  if (member.read_only) flags += 'r';
  if (mount.made_up && order == 0) flags += 'p';
  const std::string source = member.source();
  std::string line = source.starts_with('#') && member.options.empty() ? "bind" : "mount";
  if (!flags.empty()) line += " -" + flags;
  if (!member.options.empty()) line += " -o " + quote(member.options);
  return line + " " + quote(source) + " " + quote(mount.at);
}

// What was there before the union needs no command: the ones around it are put before and after it.
void print_mount(const Mount& mount, std::vector<std::string>& lines) {
  const auto underlying = std::ranges::find_if(mount.members, &Member::underlying);
  if (underlying == mount.members.end()) {
    char order = 0;
    for (const Member& member : mount.members) lines.push_back(command_of(mount, member, std::exchange(order, 'a')));
    return;
  }
  for (auto member = underlying; member != mount.members.begin();) lines.push_back(command_of(mount, *--member, 'b'));
  for (auto member = underlying + 1; member != mount.members.end(); ++member)
    lines.push_back(command_of(mount, *member, 'a'));
}

bool is_plain_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("/._-+:,=@%~").contains(c);
}

}  // namespace

std::string quote(std::string_view word) {
  if (!word.empty() && std::ranges::all_of(word, is_plain_byte)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

std::string Member::source() const {
  std::string source = server->name();
  if (!path.empty()) append(source, path);
  return source;
}

MountTable::MountTable(Member root) {
  mounts_.push_back(Mount{.at = "/", .members = {}});
  mounts_.back().members.push_back(std::move(root));
}

const Mount* MountTable::at(std::string_view path) const {
  const Mount& mount = find(path);
  return mount.at == path ? &mount : nullptr;
}

bool MountTable::has_below(std::string_view path, bool directly) const {
  return std::ranges::any_of(mounts_, [&](const Mount& mount) {
    if (mount.at.size() <= path.size() || !is_within(mount.at, path)) return false;
    return !directly || parent_of(mount.at) == path;
  });
}

bool MountTable::only_host() const {
  if (mounts_.size() != 1 || mounts_[0].is_union()) return false;
  const Member& member = mounts_[0].members[0];
  const std::string* host = member.server->host_directory();
  return host != nullptr && *host == "/" && member.path.empty() && !member.read_only;
}

void MountTable::put(Mount mount) {
  std::erase_if(mounts_, [&](const Mount& old) { return old.at == mount.at; });
  const auto place = std::ranges::find_if(mounts_, [&](const Mount& old) {
    return old.at.size() < mount.at.size() || (old.at.size() == mount.at.size() && old.at < mount.at);
  });
  mounts_.insert(place, std::move(mount));
}

void MountTable::erase(std::string_view path) {
  if (path == "/") return;
  std::string above(parent_of(path));
  std::erase_if(mounts_, [&](const Mount& mount) { return mount.at == path; });
  const Mount* parent = at(above);
  if (parent != nullptr && parent->scaffold && !has_below(above)) erase(above);
}

void MountTable::erase_below(std::string_view path) {
  std::erase_if(mounts_,
                [&](const Mount& mount) { return mount.at.size() > path.size() && is_within(mount.at, path); });
}

std::vector<std::string> MountTable::commands() const {
  std::vector<std::string> lines;
  for (auto mount = mounts_.rbegin(); mount != mounts_.rend(); ++mount)
    if (!mount->scaffold) print_mount(*mount, lines);
  return lines;
}

}  // namespace osp::ns
