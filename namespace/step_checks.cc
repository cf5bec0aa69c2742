#include "namespace/step_checks.h"

#include "namespace/resolver.h"

namespace osp::ns {

pip::Walked<void> settle_end(const Step& step) {
  if (!step.follow && !step.directory) return {};
  auto found = look_up(step);
  if (!found) return std::unexpected(std::move(found.error()));
  return {};
}

pip::Walked<void> refuse_change(const Step& step) {
  auto found = look_up(step);
  return std::unexpected(found ? pip::WalkError(EROFS) : std::move(found.error()));
}

pip::Walked<void> look_up_parent(const Step& step) {
  if (step.path.empty()) return {};
  const std::string_view parent = step.path.contains('/') ? parent_of(step.path) : std::string_view();
  return settle_end({.server = step.server, .path = parent, .follow = true, .directory = true});
}

pip::Walked<void> refuse_make(const Step& step) {
  auto found = step.server.stat(step.path);
  if (found) return failed(EEXIST);
  if (found.error().code != ENOENT) return std::unexpected(std::move(found.error()));
  if (!step.may_create) return failed(ENOENT);
  if (auto parent = look_up_parent(step); !parent) return parent;
  return failed(EROFS);
}

}  // namespace osp::ns
