#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "namespace/function_ref.h"
#include "namespace/mount_table.h"

namespace osp::ns {

// A path as a system call gives it. The views are borrowed for the call.
struct Request {
  std::string_view base = "/";  // the normal path of the working directory, or of dirfd; free of links
  std::string_view path;        // as the program wrote it
  std::string_view root = "/";  // the normal path of the program's root (chroot)
  bool follow = true;           // a symbolic link at the end is followed (no AT_SYMLINK_NOFOLLOW, O_NOFOLLOW)
  uint64_t resolve = 0;         // RESOLVE_* of openat2(2)
};

// What the last component was, as written; operations on names refuse all but `normal`.
enum class LastName : unsigned char { normal, dot, dot_dot, root };

// One try of an operation: a server, and the whole path on it.
struct Step {
  pip::Server& server;
  std::string_view path;
  std::string_view name = {};  // the normal path in the name space
  bool follow = true;          // report a link at the end (WalkError::link) instead of acting on it
  bool directory = false;      // the path ended in "/", "/." or "/..": nothing but a directory will do
  bool may_create = true;      // false: act on what exists only; ENOENT lets the search of the union go on
  bool read_only = false;      // EROFS for changes
  LastName last = LastName::normal;
};

using Operation = FunctionRef<pip::Walked<void>(const Step&)>;

// Whether an operation makes a name where there is none. Creation in a union directory first looks for
// the name in every member, then goes to the member with the create flag.
enum class Intent : unsigned char { use, create };

// An operation tried on the members of a mount.
struct Tried {
  const Member* member;
  pip::Walked<void> result;
};

// Tries `operation` on the path `rest` below `mount`, member by member: the first that has the first
// component decides, as in Plan 9 (a union is one level deep). A mount with one member costs one call.
Tried try_members(const Mount& mount, std::string_view rest, Step step, Intent intent, Operation operation);

// The state of one path being resolved: what is settled, what may still hold links, what is to be read.
// Use: advance(); act on position() by try_members(); where that reports a link, splice() and again.
class Walker {
 public:
  // Borrows both. After an error the walker is of no use.
  Walker(const MountTable& table, const Request& request) : table_(table), request_(request) {}

  // Looks at the request: ENOENT (empty), ENAMETOOLONG, EXDEV (RESOLVE_BENEATH).
  Result<void> start();
  // Reads the path to its end. Blocks only where ".." follows names that may be links: they are looked
  // up first. ENOENT ENOTDIR ELOOP EXDEV, and what servers say: how long a name may be is their business.
  Result<void> advance();
  // Looks up everything but a name at the end (all of it, where the path ends in "."), so that it holds
  // no link.
  Result<void> settle_parent();
  // Puts the target of a link in the link's place, as `member` of `mount` reported it. ELOOP: the 41st,
  // or RESOLVE_NO_SYMLINKS, or it is the last component and not to be followed. EXDEV: RESOLVE_BENEATH.
  // EIO: the server's report makes no sense.
  Result<void> splice(const pip::WalkError& error, const Mount& mount, const Member& member);

  [[nodiscard]] const std::string& path() const { return full_; }
  [[nodiscard]] const Mount& mount() const { return table_.find(full_); }
  [[nodiscard]] std::string_view rest(const Mount& mount) const { return below(full_, mount.at); }
  [[nodiscard]] bool directory() const { return directory_; }
  [[nodiscard]] LastName last() const { return last_; }
  // A Step with this walker's share of it; the server and path are the member's.
  [[nodiscard]] Step step(const Member& member) const;

 private:
  // Takes one component from pending_; true at the end of the path.
  Result<bool> take();
  Result<void> go_up();
  // Looks up the first `size` bytes of full_ as a directory; false: a link was spliced, start again.
  Result<bool> probe(size_t size);
  [[nodiscard]] Result<void> check_device(std::string_view path) const;
  [[nodiscard]] std::string_view scope() const;

  const MountTable& table_;
  const Request& request_;
  std::string full_;  // normal; the first settled_ bytes are known directories, the rest may be links
  size_t settled_ = 0;
  std::string_view pending_;  // of request_.path or spliced_
  std::string spliced_;
  const Mount* start_mount_ = nullptr;
  unsigned links_ = 0;
  bool directory_ = false;
  LastName last_ = LastName::root;
};

}  // namespace osp::ns
