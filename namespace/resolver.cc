#include "namespace/resolver.h"

#include <sys/stat.h>

#include <utility>

namespace osp::ns {
namespace {

pip::Walked<void> exists(const Step& step) {
  const auto found = look_up(step);
  if (!found) return std::unexpected(found.error());
  return {};
}

}  // namespace

pip::Walked<pip::Attributes> look_up(const Step& step) {
  auto found = step.server.stat(step.path);
  if (!found) return found;
  if (S_ISLNK(found->mode) && (step.follow || step.directory)) found = step.server.follow(step.path);
  if (!found) return found;
  if (step.directory && !S_ISDIR(found->mode)) return std::unexpected(pip::WalkError(ENOTDIR));
  return found;
}

Result<Place> run(const Table& table, const Request& request, Intent intent, Operation operation) {
  Walker walker(*table, request);
  OSP_TRY(walker.start());
  for (;;) {
    OSP_TRY(walker.advance());
    const Mount& mount = walker.mount();
    const Tried tried = try_members(mount, walker.rest(mount), walker.step(mount.members[0]), intent, operation);
    if (tried.result) return Place(table, mount, *tried.member, walker.path());
    if (!tried.result.error().is_link()) return fail(tried.result.error().code);
    OSP_TRY(walker.splice(tried.result.error(), mount, *tried.member));
  }
}

Result<Place> resolve(const Table& table, const Request& request, Missing missing) {
  if (missing == Missing::refused) return run(table, request, Intent::use, exists);
  return run(table, request, Intent::create, [](const Step& step) -> pip::Walked<void> {
    auto found = exists(step);
    if (found || found.error().code != ENOENT || !step.may_create) return found;
    const std::string_view parent = step.path.contains('/') ? parent_of(step.path) : std::string_view();
    return exists({.server = step.server, .path = parent, .follow = true, .directory = true});
  });
}

}  // namespace osp::ns
