#include <algorithm>
#include <utility>

#include "namespace/resolver.h"

// Operations on two paths: rename(2) and link(2).
namespace osp::ns {
namespace {

pip::Walked<void> exists(const Step& step) {
  const auto found = step.server.stat(step.path);
  if (!found) return std::unexpected(found.error());
  return {};
}

// One side of a pair: its walker, and the member it has come to.
struct Side {
  Walker walker;
  const Mount* mount = nullptr;
  const Member* member = nullptr;
  std::string path = {};  // on the member's server

  void choose(const Member& chosen) {
    member = &chosen;
    path = join_relative(chosen.path, walker.rest(*mount));
  }
  [[nodiscard]] Step step() const {
    Step step = walker.step(*member);
    step.path = path;
    return step;
  }
};

// The member that has the name. false: a link on the way was spliced, and all begins again.
Result<bool> choose_existing(Side& side) {
  side.mount = &side.walker.mount();
  side.choose(side.mount->members[0]);
  if (!side.mount->is_union()) return true;
  const Tried tried = try_members(*side.mount, side.walker.rest(*side.mount), side.step(), Intent::use, exists);
  side.choose(*tried.member);
  if (tried.result) return true;
  if (!tried.result.error().is_link()) return fail(tried.result.error().code);
  OSP_TRY(side.walker.splice(tried.result.error(), *side.mount, *side.member));
  return false;
}

// The first member before `end` that has the name; null: none.
const Member* holder(const Side& side, const Member* end) {
  for (const Member& member : side.mount->members) {
    if (&member == end) return nullptr;
    if (member.server->stat(join_relative(member.path, side.walker.rest(*side.mount)))) return &member;
  }
  return nullptr;
}

// Where a new name in a union goes: to the member whose file it would replace, lest that hide it.
Result<bool> choose_new(Side& side, const Side& from, NewName new_name) {
  side.mount = &side.walker.mount();
  side.choose(side.mount->members[0]);
  const std::string_view rest = side.walker.rest(*side.mount);
  if (!side.mount->is_union() || rest.empty()) return true;
  if (rest.contains('/')) {
    auto known = choose_existing(side);
    if (!known && known.error().code == ENOENT) return true;  // in the member that has its directory
    return known;
  }
  const bool same = side.mount == from.mount && !from.walker.rest(*from.mount).contains('/');
  const bool free = new_name == NewName::must_be_free;
  if (const Member* found = holder(side, same && !free ? from.member : nullptr)) {
    if (free) return fail(EEXIST);
    side.choose(*found);
    return true;
  }
  const auto creates = std::ranges::find_if(side.mount->members, &Member::create);
  if (!same && creates == side.mount->members.end()) return fail(EPERM);
  side.choose(same ? *from.member : *creates);
  return true;
}

// Both ends lie on different servers; a link in the directories that lead there may still change that.
Result<void> settle(Side& side, bool& again) {
  const std::string before = side.walker.path();
  OSP_TRY(side.walker.settle_parent());
  again |= side.walker.path() != before;
  return {};
}

}  // namespace

Result<Pair> run_pair(const Table& table, const Request& from, const Request& to, NewName new_name,
                      PairOperation operation) {
  Side a{.walker = Walker(*table, from)}, b{.walker = Walker(*table, to)};
  OSP_TRY(a.walker.start());
  const auto started = b.walker.start();
  for (;;) {
    OSP_TRY(a.walker.advance());
    const auto read = started ? b.walker.advance() : started;
    if (!read) {
      OSP_TRY(a.walker.settle_parent());  // whose failure comes first, as on Linux
      return fail(read.error().code);
    }
    OSP_ASSIGN(const bool known_from, choose_existing(a));
    if (!known_from) continue;
    OSP_ASSIGN(const bool known_to, choose_new(b, a, new_name));
    if (!known_to) continue;
    if (a.member->server != b.member->server) {
      bool again = false;
      OSP_TRY(settle(a, again));
      OSP_TRY(settle(b, again));
      if (again) continue;
      return fail(EXDEV);
    }
    const auto done = operation(a.step(), b.step());
    if (done)
      return Pair{Place(table, *a.mount, *a.member, a.walker.path()),
                  Place(table, *b.mount, *b.member, b.walker.path())};
    if (!done.error().is_link()) return fail(done.error().code);
    Side& side = done.error().which == 0 ? a : b;
    OSP_TRY(side.walker.splice(done.error(), *side.mount, *side.member));
  }
}

}  // namespace osp::ns
