#include "namespace/namespace.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "namespace/attach.h"
#include "namespace/operations.h"

namespace osp::ns {
namespace {

Table table_of(std::shared_ptr<pip::Server> root) {
  Member member;
  member.server = std::move(root);
  return std::make_shared<const MountTable>(std::move(member));
}

// The members to bind when `place` is bound: of a union's directory, all.
std::vector<Member> members_of(const Place& place, const MountFlags& flags) {
  std::vector<Member> members;
  if (place.is_mount_point()) {
    members = place.mount().members;
  } else {
    members.push_back(place.member());
    members[0].path = place.server_path();
    members[0].create = false;
  }
  for (Member& member : members) {
    member.underlying = false;
    member.read_only |= flags.read_only;
  }
  members[0].create |= flags.create;
  return members;
}

// The member of the union at `mount` that `from` names.
Checked<size_t> find_member(const Table& table, const Mount& mount, const Request& from) {
  const auto& members = mount.members;
  auto found = std::ranges::find(members, from.path, &Member::source);
  if (found == members.end()) {
    const auto place = resolve(table, from);
    if (!place) return path_trouble(from, place.error().code);
    found = std::ranges::find_if(members, [path = place->server_path(), &place](const Member& member) {
      return member.server.get() == &place->server() && member.path == path;
    });
  }
  if (found == members.end())
    return trouble(EINVAL, fmt::format("{} is not mounted on {}", from.path, mount.at),
                   "`osp ns` lists what is mounted where");
  return static_cast<size_t>(found - members.begin());
}

}  // namespace

Namespace::Namespace(std::shared_ptr<pip::Server> root) : Namespace(table_of(std::move(root))) {}

Namespace::Namespace(Table table) : only_host_(table->only_host()) { table_.store(std::move(table)); }

std::shared_ptr<Namespace> Namespace::copy() const { return std::shared_ptr<Namespace>(new Namespace(table())); }

Checked<void> Namespace::edit(FunctionRef<Checked<void>(const Table&, MountTable&)> edit) {
  for (;;) {
    Table old = table();
    auto next = std::make_shared<MountTable>(*old);
    if (auto done = edit(old, *next); !done) return done;
    if (!next->only_host()) only_host_.store(false, std::memory_order_release);
    if (!table_.compare_exchange_strong(old, std::move(next))) continue;
    do {  // until it is right for the table of the moment, whoever else has published one
      old = table();
      only_host_.store(old->only_host(), std::memory_order_release);
    } while (table() != old);
    return {};
  }
}

Checked<void> Namespace::mount(std::shared_ptr<pip::Server> server, std::string_view path, const Request& onto,
                               const MountFlags& flags) {
  auto tree = find_on_server(*server, path);
  if (!tree) return std::unexpected(std::move(tree.error()));
  Member member{.server = std::move(server),
                .path = std::move(tree->path),
                .options = flags.options,
                .create = flags.create,
                .read_only = flags.read_only};
  return edit([&](const Table& old, MountTable& table) -> Checked<void> {
    const auto point = find_mount_point(old, onto, flags.make_up);
    if (!point) return std::unexpected(point.error());
    if (auto same = check_kinds(onto, tree->attributes, *point, flags); !same) return same;
    attach(table, *point, {member}, flags);
    return {};
  });
}

Checked<void> Namespace::bind(const Request& from, const Request& onto, const MountFlags& flags) {
  return edit([&](const Table& old, MountTable& table) -> Checked<void> {
    const auto found = stat(old, from);
    if (!found) return path_trouble(from, found.error().code, "name a file or directory that exists");
    const auto point = find_mount_point(old, onto, flags.make_up);
    if (!point) return std::unexpected(point.error());
    if (auto same = check_kinds(onto, found->attributes, *point, flags); !same) return same;
    attach(table, *point, members_of(found->place, flags), flags);
    copy_below(old, found->place.path(), point->path, flags.order, table);
    return {};
  });
}

Checked<void> Namespace::unmount(const Request& onto) {
  return edit([&](const Table& old, MountTable& table) -> Checked<void> {
    const auto path = mounted_path(old, onto);
    if (!path) return std::unexpected(path.error());
    if (*path == "/") return trouble(EBUSY, "/ cannot be unmounted", "bind something else over it");
    table.erase_below(*path);
    table.erase(*path);
    return {};
  });
}

Checked<void> Namespace::unmount(const Request& from, const Request& onto) {
  return edit([&](const Table& old, MountTable& table) -> Checked<void> {
    const auto path = mounted_path(old, onto);
    if (!path) return std::unexpected(path.error());
    Mount mount = *old->at(*path);
    const auto index = find_member(old, mount, from);
    if (!index) return std::unexpected(index.error());
    mount.members.erase(mount.members.begin() + static_cast<std::ptrdiff_t>(*index));
    const bool gone = mount.members.empty() || (mount.members.size() == 1 && mount.members[0].underlying);
    if (gone && *path == "/") return trouble(EBUSY, "/ cannot be unmounted", "bind something else over it");
    if (!gone) return table.put(std::move(mount)), Checked<void>();
    if (mount.members.empty()) table.erase_below(*path);
    table.erase(*path);
    return {};
  });
}

}  // namespace osp::ns
