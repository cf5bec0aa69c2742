#include <linux/fs.h>
#include <sys/stat.h>

#include <utility>

#include "namespace/operations.h"
#include "namespace/step_checks.h"

// Operations on names: make, remove, rename, link.
namespace osp::ns {
namespace {

// Whether a name holds mount points in place: it is one, or one lies below.
bool is_busy(const Table& table, std::string_view path) {
  return path == "/" || table->at(path) != nullptr || table->has_below(path);
}

pip::Walked<void> make_step(const Step& step, const pip::NewFile& file) {
  const bool slash_refused = step.directory && !S_ISDIR(file.mode);
  if (step.last != LastName::normal) {
    auto found = settle_end(step);
    return found ? failed(EEXIST) : found;
  }
  if (step.path.empty()) return failed(EEXIST);
  if (step.read_only || !step.may_create) return refuse_make(step);
  if (!slash_refused) return step.server.make(step.path, file);
  auto refused = refuse_make(step);
  return refused.error().code == EROFS ? failed(ENOENT) : refused;
}

// What Linux says of a last component that is no name: rmdir("a/.") and so on.
int unnamed_error(LastName last, bool directory) {
  if (!directory) return EISDIR;
  return last == LastName::dot ? EINVAL : last == LastName::dot_dot ? ENOTEMPTY : EBUSY;
}

pip::Walked<void> remove_step(const Table& table, const Step& step, bool directory) {
  if (step.last != LastName::normal) {
    auto found = settle_end(step);
    return found ? failed(unnamed_error(step.last, directory)) : found;
  }
  const bool busy = is_busy(table, step.name);
  const bool slash = step.directory && !directory;
  if (!slash && !busy && !step.read_only) return step.server.remove(step.path, directory);
  auto found = step.server.stat(step.path);
  if (!found) return std::unexpected(std::move(found.error()));
  if (step.read_only) return failed(EROFS);
  if (S_ISDIR(found->mode) != directory) return failed(S_ISDIR(found->mode) ? EISDIR : ENOTDIR);
  return failed(busy ? EBUSY : ENOTDIR);
}

// The failure of one path of two.
pip::Walked<void> of_path(pip::Walked<void> result, int which) {
  if (!result) result.error().which = which;
  return result;
}

// Both paths up to their last component, as Linux does before it looks at either.
pip::Walked<void> look_up_parents(const Step& from, const Step& to) {
  const auto up_to = [](const Step& step) {
    return step.last == LastName::normal ? look_up_parent(step) : settle_end(step);
  };
  if (auto result = of_path(up_to(from), 0); !result) return result;
  return of_path(up_to(to), 1);
}

// What slashes at the end of either path demand.
pip::Walked<void> check_slashes(const Step& from, const Step& to, unsigned flags) {
  auto old_file = from.server.stat(from.path);
  if (!old_file) return std::unexpected(std::move(old_file.error()));
  auto new_file = to.server.stat(to.path);
  if (!new_file && new_file.error().code != ENOENT) return std::unexpected(std::move(new_file.error()));
  const bool exchange = (flags & RENAME_EXCHANGE) != 0;
  if ((flags & RENAME_NOREPLACE) != 0 && new_file) return failed(EEXIST);
  if (exchange && !new_file) return failed(new_file.error().code);
  if (exchange && to.directory && !S_ISDIR(new_file->mode)) return failed(ENOTDIR);
  if (S_ISDIR(old_file->mode)) return {};
  return from.directory || (to.directory && !exchange) ? failed(ENOTDIR) : pip::Walked<void>();
}

pip::Walked<void> rename_step(const Table& table, const Step& from, const Step& to, unsigned flags) {
  const bool unnamed = from.last != LastName::normal || to.last != LastName::normal;
  const bool slashes = from.directory || to.directory;
  const bool busy = is_busy(table, from.name) || is_busy(table, to.name);
  const bool read_only = from.read_only || to.read_only;
  if (unnamed || slashes || busy || read_only) {
    if (auto result = look_up_parents(from, to); !result) return result;
    if (from.last != LastName::normal) return failed(EBUSY);
    if (unnamed) return failed((flags & RENAME_NOREPLACE) != 0 ? EEXIST : EBUSY);
    if (read_only) return failed(EROFS);
    if (auto result = check_slashes(from, to, flags); !result) return result;
    if (busy) return failed(EBUSY);
  }
  return from.server.rename(from.path, to.path, flags);
}

pip::Walked<void> link_step(const Step& from, const Step& to) {
  if (auto result = of_path(settle_end(from), 0); !result) return result;
  if (to.last == LastName::normal && !to.directory && !to.read_only) return from.server.link(from.path, to.path);
  auto found = from.server.stat(from.path);
  if (!found) return std::unexpected(std::move(found.error()));
  if (to.last != LastName::normal) {
    auto end = of_path(settle_end(to), 1);
    return end ? failed(EEXIST) : end;
  }
  auto refused = of_path(refuse_make(to), 1);
  return refused.error().code == EROFS && to.directory ? failed(ENOENT) : refused;
}

}  // namespace

Result<Place> make(const Table& table, const Request& request, const pip::NewFile& file) {
  if (S_ISLNK(file.mode) && file.target.empty()) return fail(ENOENT);
  if (S_ISLNK(file.mode) && file.target.size() > path_size_max) return fail(ENAMETOOLONG);
  Request itself = request;
  itself.follow = false;
  return run(table, itself, Intent::create, [&](const Step& step) { return make_step(step, file); });
}

Result<Place> remove(const Table& table, const Request& request, bool directory) {
  Request itself = request;
  itself.follow = false;
  return run(table, itself, Intent::use, [&](const Step& step) { return remove_step(table, step, directory); });
}

Result<Pair> rename(const Table& table, const Request& from, const Request& to, unsigned flags) {
  if ((flags & ~static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) return fail(EINVAL);
  if (flags == (RENAME_NOREPLACE | RENAME_EXCHANGE)) return fail(EINVAL);
  Request old_name = from, new_name = to;
  old_name.follow = new_name.follow = false;
  const NewName kind = (flags & RENAME_NOREPLACE) != 0 ? NewName::must_be_free : NewName::may_exist;
  return run_pair(table, old_name, new_name, kind,
                  [&](const Step& a, const Step& b) { return rename_step(table, a, b, flags); });
}

Result<Pair> link(const Table& table, const Request& from, const Request& to) {
  Request new_name = to;
  new_name.follow = false;
  auto done = run_pair(table, from, new_name, NewName::must_be_free, link_step);
  if (done) return done;
  if (const auto found = stat(table, from); !found) return fail(found.error().code);  // Linux looks there first
  return done;
}

}  // namespace osp::ns
