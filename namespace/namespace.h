#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "namespace/resolver.h"
#include "namespace/trouble.h"

namespace osp::ns {

enum class Order : unsigned char { replace, before, after };

struct MountFlags {
  Order order = Order::replace;
  bool create = false;       // -c: in a union, new files go here
  bool read_only = false;    // -r
  bool make_up = false;      // -p: a mount point that does not exist is made up, its directories too
  std::string options = {};  // of the mount command, kept for printing
};

// A name space: a mount table that is replaced whole when it changes, so that whoever resolves a path
// goes on with the table it began with. Threads may call everything at once; no lock is held while a
// server is asked. Processes that share a name space hold one by shared_ptr; copy() is for a private child.
class Namespace {
 public:
  // `root` is what "/" shows: the host's tree (#U), usually.
  explicit Namespace(std::shared_ptr<pip::Server> root);

  // The table as it is now: what the resolver and the operations take.
  [[nodiscard]] Table table() const { return table_.load(); }
  // Whether there is nothing but the host at "/": callers then hand paths to the host untouched. Cheap
  // enough for each call; signal-safe.
  [[nodiscard]] bool only_host() const { return only_host_.load(std::memory_order_acquire); }
  // One of its own that begins as this one is; cheap.
  [[nodiscard]] std::shared_ptr<Namespace> copy() const;

  // Attaches the tree (or file) at `path` on `server` to what `onto` names, which must be of the same
  // kind. With Order::replace all that was mounted there, and below, goes. Links in `path` are followed
  // within the server. ENOENT (with a remedy), ENOTDIR, EISDIR, ELOOP, what servers say.
  Checked<void> mount(std::shared_ptr<pip::Server> server, std::string_view path, const Request& onto,
                      const MountFlags& flags);
  // Makes what `from` names appear at `onto` too: a union with all its members, and with the mount points
  // below it. Later changes to `from`'s mounts do not follow.
  Checked<void> bind(const Request& from, const Request& onto, const MountFlags& flags);
  // Takes away everything mounted at `onto`, and below it. EINVAL: nothing is; EBUSY: "/".
  Checked<void> unmount(const Request& onto);
  // Takes away one member of a union: the one that `from` names, as a path or as Member::source() does.
  Checked<void> unmount(const Request& from, const Request& onto);

  // The commands that would build it again, one a line, as Plan 9's ns(1).
  [[nodiscard]] std::vector<std::string> commands() const { return table()->commands(); }

 private:
  explicit Namespace(Table table);
  // Publishes what `edit(table)` makes of a copy; again if another thread was faster.
  Checked<void> edit(FunctionRef<Checked<void>(const Table& old, MountTable& table)> edit);

  std::atomic<Table> table_;
  std::atomic<bool> only_host_;
};

}  // namespace osp::ns
