#pragma once

#include <memory>

#include "namespace/place.h"
#include "namespace/walker.h"

// The one resolver of every call that takes a path. What falls under one server goes to it as one whole
// path in one call; `..` after names that may be links, unions that miss, and links cost more. All may
// block the calling fiber or thread; none may be called from a signal handler.
namespace osp::ns {

using Table = std::shared_ptr<const MountTable>;

// Tries `operation` where the request leads, and says where that was. The operation may be called
// several times; it has taken effect when it returned a value, and is not called again then.
// ENOENT ENOTDIR ELOOP (more than 40 links) ENAMETOOLONG EXDEV (RESOLVE_*), EPERM ("mounted directory
// forbids creation": no member of a union has the create flag), and what the operation returns.
Result<Place> run(const Table& table, const Request& request, Intent intent, Operation operation);

// An operation on two paths of one server: (server, path, path) -> Walked<void>.
using PairOperation = FunctionRef<pip::Walked<void>(const Step& from, const Step& to)>;

struct Pair {
  Place from, to;
};

// Whether an operation on two paths may replace what has the new name.
enum class NewName : unsigned char { may_exist, must_be_free };

// rename(2) and link(2): no link at the end of either path is followed, unless the operation reports it
// and from.follow. `to` is a name to be made: in a union it goes to the member that has it, else to the
// member of `from`, else to the one with the create flag. EXDEV: not on one server.
Result<Pair> run_pair(const Table& table, const Request& from, const Request& to, NewName new_name,
                      PairOperation operation);

enum class Missing : unsigned char { refused, allowed };

// Where a path leads, with no operation but a stat. Missing::allowed: the last component need not exist,
// but its directory must; the place is then where it would be made.
Result<Place> resolve(const Table& table, const Request& request, Missing missing = Missing::refused);

// lstat(2) of the step, except that a link which is to be followed is reported as such (or followed: Server::follow),
// and that ENOTDIR answers for what must be a directory and is none. The first half of many operations.
pip::Walked<pip::Attributes> look_up(const Step& step);

}  // namespace osp::ns
