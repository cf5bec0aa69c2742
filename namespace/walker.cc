#include "namespace/walker.h"

#include <linux/openat2.h>
#include <sys/stat.h>

#include <utility>

namespace osp::ns {
namespace {

pip::Walked<void> failed(int code) { return std::unexpected(pip::WalkError(code)); }

// stat(2) of what must be a directory, following a link at its end.
pip::Walked<void> look_up_directory(const Step& step) {
  const auto found = step.server.stat(step.path);
  if (!found) return std::unexpected(found.error());
  if (S_ISDIR(found->mode)) return {};
  if (!S_ISLNK(found->mode)) return failed(ENOTDIR);
  auto target = step.server.read_link(step.path);
  if (!target) return std::unexpected(target.error());
  return std::unexpected(pip::WalkError::link(step.path.size(), std::move(*target)));
}

bool has_first(const Member& member, std::string_view rest) {
  const auto found = member.server->stat(join_relative(member.path, first_of(rest)));
  return found || found.error().code != ENOENT;
}

pip::Walked<void> try_member(const Member& member, std::string_view rest, Step step, Operation operation) {
  if (member.path.empty() || rest.empty()) {
    step.path = member.path.empty() ? rest : std::string_view(member.path);
    return operation(step);
  }
  const std::string joined = join_relative(member.path, rest);
  step.path = joined;
  return operation(step);
}

Step on(const Member& member, Step step) {
  return {.server = *member.server,
          .path = {},
          .name = step.name,
          .follow = step.follow,
          .directory = step.directory,
          .may_create = step.may_create,
          .read_only = member.read_only,
          .last = step.last};
}

// No member has the name: it is made in the first that allows it.
Tried create_in_union(const Mount& mount, std::string_view rest, const Step& step, Operation operation) {
  bool read_only = false;
  for (const Member& member : mount.members) {
    read_only |= member.create && member.read_only;
    if (member.create && !member.read_only) return {&member, try_member(member, rest, on(member, step), operation)};
  }
  return {&mount.members[0], failed(read_only ? EROFS : EPERM)};
}

}  // namespace

Tried try_members(const Mount& mount, std::string_view rest, Step step, Intent intent, Operation operation) {
  if (!mount.is_union() || rest.empty())
    return {&mount.members[0], try_member(mount.members[0], rest, on(mount.members[0], step), operation)};
  const bool deep = rest.contains('/');
  step.may_create = deep;
  for (const Member& member : mount.members) {
    auto result = try_member(member, rest, on(member, step), operation);
    if (result || result.error().code != ENOENT) return {&member, std::move(result)};
    if (deep && (&member == &mount.members.back() || has_first(member, rest))) return {&member, std::move(result)};
  }
  if (intent == Intent::use || deep) return {&mount.members.back(), failed(ENOENT)};
  step.may_create = true;
  return create_in_union(mount, rest, step, operation);
}

std::string_view Walker::scope() const {
  return (request_.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) != 0 ? request_.base : request_.root;
}

Result<void> Walker::start() {
  if (request_.path.empty()) return fail(ENOENT);
  if (request_.path.size() > path_size_max) return fail(ENAMETOOLONG);
  const bool absolute = request_.path.front() == '/';
  if (absolute && (request_.resolve & RESOLVE_BENEATH) != 0) return fail(EXDEV);
  const std::string_view from = absolute ? scope() : request_.base;
  full_.reserve(from.size() + request_.path.size() + 1);
  full_ = from;
  settled_ = full_.size();
  pending_ = request_.path;
  start_mount_ = &table_.find(full_);
  return {};
}

Result<void> Walker::advance() {
  for (;;) {
    OSP_ASSIGN(const bool done, take());
    if (done) return check_device(full_);
  }
}

Result<bool> Walker::take() {
  while (pending_.starts_with('/')) pending_.remove_prefix(1);
  if (pending_.empty()) return true;
  const std::string_view name = first_of(pending_);
  if (name == "..") {
    OSP_ASSIGN(const bool known, probe(full_.size()));
    if (!known) return false;
    OSP_TRY(go_up());
  } else if (name != ".") {
    append(full_, name);
  }
  directory_ = name == "." || name == ".." || name.size() < pending_.size();
  last_ = name == "." ? LastName::dot : name == ".." ? LastName::dot_dot : LastName::normal;
  pending_.remove_prefix(name.size());
  return false;
}

Result<void> Walker::go_up() {
  if (full_ == scope() || full_ == "/") {
    if ((request_.resolve & RESOLVE_BENEATH) != 0) return fail(EXDEV);
    return {};
  }
  full_.resize(parent_of(full_).size());
  settled_ = full_.size();
  return check_device(full_);
}

Result<bool> Walker::probe(size_t size) {
  if (size <= settled_) return true;
  const std::string_view path = std::string_view(full_).substr(0, size);
  OSP_TRY(check_device(path));
  const Mount& mount = table_.find(path);
  const Tried tried = try_members(mount, below(path, mount.at), step(mount.members[0]), Intent::use, look_up_directory);
  if (tried.result) {
    settled_ = size;
    return true;
  }
  if (!tried.result.error().is_link()) return fail(tried.result.error().code);
  OSP_TRY(splice(tried.result.error(), mount, *tried.member));
  return false;
}

Result<void> Walker::settle_parent() {
  for (;;) {
    OSP_TRY(advance());
    const bool named = last_ == LastName::normal;
    OSP_ASSIGN(const bool known, probe(named ? parent_of(full_).size() : full_.size()));
    if (known) return {};
  }
}

Step Walker::step(const Member& member) const {
  return {.server = *member.server,
          .path = {},
          .name = full_,
          .follow = request_.follow || directory_,
          .directory = directory_,
          .read_only = member.read_only,
          .last = last_};
}

Result<void> Walker::check_device(std::string_view path) const {
  if ((request_.resolve & RESOLVE_NO_XDEV) == 0 || &table_.find(path) == start_mount_) return {};
  return fail(EXDEV);
}

}  // namespace osp::ns
