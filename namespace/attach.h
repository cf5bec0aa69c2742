#pragma once

#include <vector>

#include "namespace/namespace.h"

// How a mount point is found and filled. For namespace.cc only.
namespace osp::ns {

// A place to mount on: it exists, or is to be made up.
struct MountPoint {
  std::string path;
  std::string existing;  // the part of it that exists: all, unless it is to be made up
  pip::Attributes attributes;
  Member underlying;  // what shows there now; without a server if it is to be made up

  [[nodiscard]] bool missing() const { return existing.size() < path.size(); }
};

Checked<MountPoint> find_mount_point(const Table& table, const Request& onto, bool make_up);

// `path` on `server` with all links followed within the server, and what is there.
struct ServerPlace {
  std::string path;
  pip::Attributes attributes;
};
Checked<ServerPlace> find_on_server(pip::Server& server, std::string_view path);

// The path of a mount point without a look at what is mounted there, which may not answer.
Checked<std::string> mounted_path(const Table& table, const Request& onto);

// Copies the mount points below `from` to below `onto`. Behind a union's older members (Order::after)
// those are left out that such a member hides.
void copy_below(const Table& old, std::string_view from, std::string_view onto, Order order, MountTable& table);

// Puts `members` at `point`, by the flags' order.
void attach(MountTable& table, const MountPoint& point, std::vector<Member> members, const MountFlags& flags);

// An error about a path, in words: "/n/lab: No such file or directory".
std::unexpected<Trouble> path_trouble(const Request& request, int code, std::string remedy = {});

// Directory on directory, or file on file.
Checked<void> check_kinds(const Request& onto, const pip::Attributes& from, const MountPoint& point,
                          const MountFlags& flags);

}  // namespace osp::ns
