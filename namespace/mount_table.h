#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "namespace/path.h"
#include "pip/server.h"

namespace osp::ns {

// One tree of a mount point: a directory (or file) of a server.
struct Member {
  std::shared_ptr<pip::Server> server;
  std::string path;         // on that server, with no symbolic link in it; "" is its root
  std::string options;      // of the mount command, for whoever prints it: "at=2026-10-01"
  bool create = false;      // in a union: new files go to the first member that has this
  bool read_only = false;   // nothing below may be changed through this name
  bool underlying = false;  // what was visible here before the first -a or -b; goes when the union goes

  // "#U/opt/tools/bin": the name to write in a bind or mount command.
  [[nodiscard]] std::string source() const;
};

// What is attached at one path. More than one member makes a union directory.
struct Mount {
  std::string at;  // normal path in the name space
  std::vector<Member> members;
  bool made_up = false;   // there is no such name below; it exists only here, and shows in its directory
  bool scaffold = false;  // made up only to lead to another one; gone when that is

  [[nodiscard]] bool is_union() const { return members.size() > 1; }
};

// The table of a name space, a value: who changes it makes a copy and publishes that (Namespace). There
// is always a mount at "/". Lookups take no lock and no heap. Mount points are few (tens), so a lookup
// compares them one after the other, the longest first.
class MountTable {
 public:
  explicit MountTable(Member root);

  // The mount that `path` (normal) falls under.
  [[nodiscard]] const Mount& find(std::string_view path) const {
    for (const Mount& mount : mounts_)
      if (is_within(path, mount.at)) return mount;
    return mounts_.back();  // "/" is the shortest
  }
  // The mount exactly at `path`, or null.
  [[nodiscard]] const Mount* at(std::string_view path) const;
  // Whether a mount point lies strictly below `path`; `directly`: only in it.
  [[nodiscard]] bool has_below(std::string_view path, bool directly = false) const;
  // All mounts, the longest path first.
  [[nodiscard]] const std::vector<Mount>& mounts() const { return mounts_; }
  // Whether there is nothing but the host's whole tree at "/", so that paths mean what they mean outside.
  [[nodiscard]] bool only_host() const;

  // Puts `mount` in the place of what is exactly there.
  void put(Mount mount);
  // Takes away what is at `path`, and what is made up only to lead there. Not for "/".
  void erase(std::string_view path);
  // Takes away what is strictly below `path`.
  void erase_below(std::string_view path);

  // The commands that would build this table again, parents first, as ns(1) of Plan 9 prints them.
  [[nodiscard]] std::vector<std::string> commands() const;

 private:
  std::vector<Mount> mounts_;
};

// A word as a name space file wants it: quoted with '' where it has to be.
std::string quote(std::string_view word);

}  // namespace osp::ns
