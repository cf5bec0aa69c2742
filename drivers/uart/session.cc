#include "drivers/uart/session.h"

#include <algorithm>

namespace osp::uart {

bool Session::begin(std::string body, uint32_t room, uint64_t ticket) {
  if (groups_.size() >= most_groups) return false;
  auto group = Group::create(std::move(body), room);
  if (!group) return false;
  groups_.push_back({std::move(*group), ticket});
  return true;
}

void Session::pass(const Tree& tree, Round& round, const Answered& answered) {
  round.unanswered.clear();
  for (const Waiting& waiting : groups_) round.unanswered.insert(waiting.group->tag());
  for (auto at = groups_.begin(); at != groups_.end();) {
    if (at->group->is_ordered() && at != groups_.begin()) break;
    const auto body = at->group->advance(tree, fids_, round);
    if (!body) {
      ++at;
      continue;
    }
    round.unanswered.erase(at->group->tag());
    answered(at->ticket, *body);
    at = groups_.erase(at);
  }
}

void Session::advance(const Tree& tree, Round& round, const Answered& answered) {
  for (;;) {
    round.flushed.clear();
    pass(tree, round, answered);
    if (round.flushed.empty()) return;
    for (const Waiting& waiting : groups_)
      if (round.flushed.contains(waiting.group->tag())) waiting.group->cancel();
  }
}

bool Session::waits_for_the_line() const {
  return std::ranges::any_of(groups_, [](const Waiting& waiting) { return waiting.group->waits_for_the_line(); });
}

}  // namespace osp::uart
