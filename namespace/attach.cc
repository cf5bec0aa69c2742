#include "namespace/attach.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "namespace/empty_directory.h"
#include "namespace/operations.h"

namespace osp::ns {
namespace {

// What shows at `place`, to be kept as a member of a union.
Member underlying_of(const Place& place) {
  Member member = place.member();
  member.path = place.server_path();
  member.create = false;
  member.underlying = true;
  return member;
}

// The nearest directory that exists above a path which does not: its place, and the names still to make.
Checked<MountPoint> find_missing(const Table& table, const Request& onto) {
  std::string path(onto.path);
  std::string missing;
  for (;;) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    const size_t slash = path.rfind('/');
    const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (name.empty() || name == "." || name == "..") return path_trouble(onto, ENOENT);
    missing.insert(0, "/" + name);
    path = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    Request above = onto;
    above.path = path;
    const auto found = stat(table, above);
    if (!found && found.error().code == ENOENT) continue;
    if (!found) return path_trouble(onto, found.error().code);
    if (!S_ISDIR(found->attributes.mode)) return path_trouble(onto, ENOTDIR);
    MountPoint point{found->place.path(), found->place.path(), {}, {}};
    append(point.path, std::string_view(missing).substr(1));
    return point;
  }
}

// Directories that are only there to lead to a made-up mount point.
void add_scaffold(MountTable& table, const MountPoint& point) {
  for (auto above = parent_of(point.path); above.size() > point.existing.size(); above = parent_of(above)) {
    Mount mount{.at = std::string(above), .members = {}, .made_up = true, .scaffold = true};
    Member member;
    member.server = std::make_shared<EmptyDirectory>();
    member.read_only = true;
    mount.members.push_back(std::move(member));
    table.put(std::move(mount));
  }
}

// The members that a union at `point` begins with.
std::vector<Member> members_before(const Mount* old, const MountPoint& point) {
  if (point.missing() || (old != nullptr && old->scaffold)) return {};
  if (old != nullptr) return old->members;
  return {point.underlying};
}

}  // namespace

std::unexpected<Trouble> path_trouble(const Request& request, int code, std::string remedy) {
  return trouble(code, fmt::format("{}: {}", request.path, describe(Error(code))), std::move(remedy));
}

Checked<MountPoint> find_mount_point(const Table& table, const Request& onto, bool make_up) {
  auto found = stat(table, onto);
  if (!found && found.error().code == ENOENT && make_up) return find_missing(table, onto);
  if (!found && found.error().code == ENOENT)
    return path_trouble(onto, ENOENT,
                        fmt::format("make it first (mkdir -p {}), or use -p to have it made up", onto.path));
  if (!found) return path_trouble(onto, found.error().code);
  const std::string& path = found->place.path();
  return MountPoint{path, path, found->attributes, underlying_of(found->place)};
}

Checked<std::string> mounted_path(const Table& table, const Request& onto) {
  Walker walker(*table, onto);
  auto ready = walker.start();
  if (ready) ready = walker.settle_parent();
  if (!ready) return path_trouble(onto, ready.error().code);
  if (table->at(walker.path()) != nullptr) return walker.path();
  const auto found = stat(table, onto);  // perhaps it is a link to one
  if (!found) return path_trouble(onto, found.error().code);
  if (found->place.is_mount_point()) return found->place.path();
  return trouble(EINVAL, fmt::format("{}: nothing is mounted there", onto.path), "`osp ns` lists the mount points");
}

Checked<void> check_kinds(const Request& onto, const pip::Attributes& from, const MountPoint& point,
                          const MountFlags& flags) {
  const bool directory = S_ISDIR(from.mode);
  if (!directory && flags.order != Order::replace)
    return trouble(ENOTDIR, fmt::format("{}: only directories make a union", onto.path), "leave out -a and -b");
  if (point.missing() || S_ISDIR(point.attributes.mode) == directory) return {};
  const auto* reason = directory ? "a directory cannot be put on a file" : "a file cannot be put on a directory";
  return trouble(directory ? ENOTDIR : EISDIR, fmt::format("{}: {}", onto.path, reason),
                 directory ? "name a directory" : "name a file that exists, or a new name with -p");
}

void copy_below(const Table& old, std::string_view from, std::string_view onto, Order order, MountTable& table) {
  for (const Mount& mount : old->mounts()) {
    if (mount.at.size() <= from.size() || !is_within(mount.at, from)) continue;
    const std::string_view rest = below(mount.at, from);
    Mount copy = mount;
    copy.at = onto;
    append(copy.at, rest);
    if (order == Order::after && stat(old, {.base = onto, .path = first_of(rest), .follow = false})) continue;
    table.put(std::move(copy));
  }
}

void attach(MountTable& table, const MountPoint& point, std::vector<Member> members, const MountFlags& flags) {
  const Mount* old = table.at(point.path);
  Mount mount{.at = point.path, .members = {}, .made_up = point.missing() || (old != nullptr && old->made_up)};
  auto others = flags.order == Order::replace ? std::vector<Member>() : members_before(old, point);
  if (flags.order == Order::replace) table.erase_below(point.path);
  auto& first = flags.order == Order::after ? others : members;
  auto& second = flags.order == Order::after ? members : others;
  mount.members = std::move(first);
  for (Member& member : second) mount.members.push_back(std::move(member));
  add_scaffold(table, point);
  table.put(std::move(mount));
}

Checked<ServerPlace> find_on_server(pip::Server& server, std::string_view path) {
  // The server alone, as a name space: what it is asked for is its own, and so are its links.
  const std::shared_ptr<pip::Server> borrowed(&server, [](pip::Server*) {});
  const auto table = std::make_shared<const MountTable>(Member{.server = borrowed, .path = {}, .options = {}});
  const std::string whole = "/" + std::string(path);
  const auto found = stat(table, {.base = "/", .path = whole});
  if (!found)
    return trouble(found.error().code, fmt::format("{} on {}: {}", whole, server.name(), describe(found.error())));
  return ServerPlace{found->place.server_path(), found->attributes};
}

}  // namespace osp::ns
