#include <sys/stat.h>

#include <utility>

#include "namespace/operations.h"
#include "namespace/step_checks.h"
#include "namespace/union_directory.h"

// open(2) by name.
namespace osp::ns {
namespace {

bool changes(const pip::OpenMode& mode) { return mode.write || mode.truncate || mode.append; }

// O_CREAT on a path that ends in a slash, ".", or "..": Linux makes nothing there, whatever it is.
pip::Walked<void> refuse_create(const Step& step, const pip::OpenMode& mode) {
  if (step.last != LastName::normal) {
    if (auto found = settle_end(step); !found) return found;
    return failed(mode.exclusive ? EEXIST : EISDIR);
  }
  if (auto parent = look_up_parent(step); !parent) return parent;
  return failed(EISDIR);
}

// A new file in a union's member that may not have it: is it there already?
pip::Walked<void> refuse_existing(const Step& step) {
  auto found = step.server.stat(step.path);
  if (!found) return std::unexpected(std::move(found.error()));
  return failed(EEXIST);
}

pip::Walked<void> open_step(const Step& step, pip::OpenMode mode, pip::Opened& opened) {
  if (mode.create && (step.directory || step.last != LastName::normal)) return refuse_create(step, mode);
  if (mode.create && mode.exclusive && !step.may_create) return refuse_existing(step);
  if (step.read_only && mode.create && mode.exclusive) return refuse_make(step);
  if (step.read_only && changes(mode)) {
    auto refused = refuse_change(step);
    if (mode.create && step.may_create && refused.error().code == ENOENT) return refuse_make(step);
    return refused;
  }
  const bool making = mode.create && step.may_create && step.read_only;
  mode.create = mode.create && step.may_create && !step.read_only;
  mode.exclusive = mode.exclusive && mode.create;
  mode.directory = mode.directory || step.directory;
  if (mode.path_only && step.follow)
    if (auto end = settle_end(step); !end) return end;
  auto result = step.server.open(step.path, mode);
  if (!result) {
    const pip::WalkError& error = result.error();
    if (error.is_link() && error.consumed == step.path.size() && !step.follow && mode.directory) return failed(ENOTDIR);
    if (making && error.code == ENOENT) return refuse_make(step);
    return std::unexpected(error);
  }
  opened = std::move(*result);
  return {};
}

}  // namespace

Result<OpenedPlace> open(const Table& table, const Request& request, const pip::OpenMode& mode) {
  OpenedPlace result;
  Request at = request;
  if (mode.create && mode.exclusive) at.follow = false;
  const Intent intent = mode.create ? Intent::create : Intent::use;
  OSP_ASSIGN(result.place, run(table, at, intent, [&](const Step& step) -> pip::Walked<void> {
               return open_step(step, mode, result.opened);
             }));
  if (S_ISDIR(result.opened.attributes.mode) && !mode.path_only && result.place.is_merged())
    result.opened.file = std::make_unique<UnionDirectory>(std::move(result.opened.file), result.place);
  return result;
}

}  // namespace osp::ns
