#include "tools/keeper_locks.h"

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "pip/packing.h"

namespace osp::keeper {
namespace {

using namespace pip;

constexpr int64_t most_wait_ms = 2000;  // for a holder's answer
constexpr size_t most_told = 200;       // pieces; of more the server is told one
constexpr int64_t idle_ms = 5000;       // then what is not in use is given back unasked

int error_in(const Answer& answer) {
  const auto checked = check_answer(answer, 2);
  return checked ? EPROTO : checked.error().code;
}

Tlock lock_of(const Fid& fid, LockKind kind, const LockRange& range) {
  return {.fid = fid.number,
          .kind = static_cast<uint8_t>(kind),
          .how = static_cast<uint8_t>(range.type),
          .first = range.first,
          .last = range.last};
}

constexpr size_t index(LockKind kind) { return static_cast<size_t>(kind); }

}  // namespace

TreeLocks::TreeLocks(Tree& tree, LeaseChannel& server, PageCache& pages, Environment environment)
    : tree_(tree), server_(server), pages_(pages), environment_(std::move(environment)) {
  server_.set_lock_holder(this);
}

// A fid of its own, since it lasts longer than any process's, and keeps nothing but the file. What the server has
// opened it is asked for, since by a name one may be told of another file.
Result<TreeLocks::FilePtr> TreeLocks::open(const FidPtr& by) {
  OSP_ASSIGN(const PageFilePtr pages, pages_.get(by));
  if (const auto found = files_.find(by->id); found != files_.end()) return found->second;
  auto file = std::make_shared<File>();
  file->fid = std::make_shared<Fid>(tree_);
  file->pages = pages;
  const uint32_t number = file->fid->number;
  OSP_ASSIGN(const Answer answer,
             tree_.channel->exchange(
                 {Topen{.fid = by->number, .nfid = number, .path = "", .mode = "p"}, ask_attributes(*file->fid)}));
  file->fid->is_open = !answer.replies.empty() && std::holds_alternative<Ropen>(answer.replies[0]);
  OSP_TRY(check_answer(answer, 2));
  OSP_ASSIGN(const Attributes attributes, attributes_in(answer, 1));
  if (attributes.id != by->id) return fail(ENOLCK);       // it has no name any more
  return files_.try_emplace(by->id, file).first->second;  // or another job's, which was faster
}

TreeLocks::FilePtr TreeLocks::find(uint32_t fid) const {
  const auto found = std::ranges::find(files_, fid, [](const auto& entry) { return entry.second->fid->number; });
  return found == files_.end() ? nullptr : found->second;
}

// With what the file is then: others may have written to it before.
Result<TreeLocks::Told> TreeLocks::ask(const FilePtr& file, const FidPtr& by, LockKind kind, const LockRange& wanted) {
  Held& held = file->kinds[index(kind)];
  ++held.under_way;
  const unsigned retries = held.retries;
  const auto answer = tree_.channel->exchange({lock_of(*file->fid, kind, wanted), ask_attributes(*file->fid)});
  const auto end = [&] {
    if (--held.under_way == 0 && (held.is_asked || held.again)) give_back(file, kind);
  };
  const auto* const reply = answer && !answer->replies.empty() ? std::get_if<Rlock>(&answer->replies[0]) : nullptr;
  if (reply == nullptr) {
    end();
    return answer ? fail(error_in(*answer)) : std::unexpected(answer.error());
  }
  const LockRange got{.type = static_cast<LockType>(reply->how), .first = reply->first, .last = reply->last};
  const bool is_sound = reply->how >= 1 && reply->how <= static_cast<uint8_t>(LockType::exclusive) &&
                        got.first <= got.last && got.last <= LockRange::most;
  const Told told{.state = reply->state, .range = got, .is_old = retries != held.retries};
  if (is_sound && reply->state == lock_granted) {
    held.locks.set(got);
    if (got != wanted) held.is_exact = false;  // who is given more than was asked for is alone with the file
  }
  end();
  if (!is_sound || (reply->state == lock_granted && !RangeLocks(got).covers(wanted))) return fail(EPROTO);
  if (reply->state == lock_granted) OSP_TRY(take_pages(file, by, *answer));
  return told;
}

// What the processes have mapped, or read later through the pages, is as others have left it.
Result<void> TreeLocks::take_pages(const FilePtr& file, const FidPtr& by, const Answer& answer) {
  OSP_ASSIGN(const Attributes attributes, attributes_in(answer, 1));
  const bool has_some = file->pages->cached_size() > 0;
  if (file->pages->is_written()) OSP_TRY(file->pages->flush());
  if (!file->pages->meet(attributes.version, attributes.size)) return {};
  tree_.changed();
  return has_some ? file->pages->fill(by, 0, attributes.size) : Result<void>{};
}

// While the server waits to hear what is in use, nobody takes more.
Result<LockAnswer> TreeLocks::get(const FilePtr& file, const FidPtr& by, LockKind kind, const LockRange& wanted) {
  Held& held = file->kinds[index(kind)];
  const int64_t give_up_ms = now_ms() + most_wait_ms;
  while (held.is_asked || !held.locks.covers(wanted)) {
    if (environment_.is_lost()) return fail(ESTALE);
    if (held.is_asked) {
      held.changed.wait();
      continue;
    }
    OSP_ASSIGN(const Told told, ask(file, by, kind, wanted));
    count_wanted();
    if (told.state == lock_granted) continue;
    if (told.state == lock_in_use || now_ms() >= give_up_ms)
      return LockAnswer{.is_granted = false, .range = told.range};
    if (!told.is_old) held.changed.wait();
  }
  return LockAnswer{.is_granted = true, .range = wanted};
}

Result<LockAnswer> TreeLocks::lock(const FidPtr& by, LockKind kind, const LockRange& wanted) {
  if (environment_.is_lost()) return fail(ESTALE);
  OSP_ASSIGN(const FilePtr file, open(by));
  Held& held = file->kinds[index(kind)];
  held.used_ms = now_ms();
  OSP_ASSIGN(const LockAnswer answer, get(file, by, kind, wanted));
  held.used_ms = now_ms();
  if (!answer.is_granted) return answer;
  held.touched.set(wanted);
  if (held.touched.all().size() > most_told) held.touched = RangeLocks({.type = LockType::exclusive});
  return answer;
}

void TreeLocks::asked(uint32_t fid, LockKind kind) {
  const FilePtr file = find(fid);
  if (file == nullptr) return server_.keep(fid, kind, RangeLocks());  // it is being closed
  file->kinds[index(kind)].is_asked = true;
  count_wanted();
  give_back(file, kind);
}

void TreeLocks::may_retry(uint32_t fid, LockKind kind) {
  const FilePtr file = find(fid);
  if (file == nullptr) return;
  Held& held = file->kinds[index(kind)];
  ++held.retries;
  held.changed.wake_all();
}

void TreeLocks::give_back(const FilePtr& file, LockKind kind) {
  Held& held = file->kinds[index(kind)];
  held.again = true;
  if (held.under_way != 0 || std::exchange(held.is_giving, true)) return;
  environment_.start_job([this, file, kind] {
    Held& now = file->kinds[index(kind)];
    while (now.under_way == 0 && std::exchange(now.again, false))
      if (!give_back_now(file, kind)) now.again = now.under_way != 0;
    now.is_giving = false;
    now.changed.wake_all();
  });
}

// What was in use before all that is written was sent, or came to be meanwhile, is given back in another round.
// False: not now.
bool TreeLocks::give_back_now(const FilePtr& file, LockKind kind) {
  Held& held = file->kinds[index(kind)];
  if (environment_.is_locking()) return false;  // whoever it is comes again
  held.touched.clear();
  const auto before = locks_in_use(file->pages->fd(), kind);
  environment_.finish();
  if (held.under_way != 0 || environment_.is_locking()) return false;
  auto left = locks_in_use(file->pages->fd(), kind);
  if (!before || !left) {
    log::error("keeper", "the host does not tell which locks are in use: none is given back");
    left = held.locks;
  } else {
    for (const RangeLocks* some : std::initializer_list<const RangeLocks*>{&*before, &held.touched})
      for (const LockRange& range : some->all()) {
        if (left->covers(range)) continue;
        left->set(range);
        held.again = true;
      }
  }
  left->intersect(held.locks);
  keep(file, kind, std::move(*left));
  held.changed.wake_all();
  return true;
}

// And waits until the server has heard it.
void TreeLocks::send(const FilePtr& file, LockKind kind, const std::vector<LockRange>& ranges) {
  std::vector<uint64_t> tags;
  for (const LockRange& range : ranges) {
    if (const auto tag = tree_.channel->submit({lock_of(*file->fid, kind, range)}, 0)) tags.push_back(*tag);
  }
  for (const uint64_t tag : tags) (void)tree_.channel->wait(tag);
}

void TreeLocks::keep(const FilePtr& file, LockKind kind, RangeLocks left) {
  Held& held = file->kinds[index(kind)];
  if (left.all().size() > most_told) {
    left = RangeLocks({.type = LockType::exclusive, .first = left.all().front().first, .last = left.all().back().last});
    left.intersect(held.locks);
  }
  const RangeLocks before = std::exchange(held.locks, left);
  if (std::exchange(held.is_asked, false)) {
    held.is_exact = true;
    server_.keep(file->fid->number, kind, left);
    return count_wanted();
  }
  RangeLocks gone = before;
  for (const LockRange& range : left.all())
    gone.set({.type = LockType::none, .first = range.first, .last = range.last});
  std::vector<LockRange> told;
  for (const LockRange& range : gone.all())
    told.push_back({.type = LockType::none, .first = range.first, .last = range.last});
  for (const LockRange& range : left.all())
    if (range.type == LockType::shared && before.conflict(range)) told.push_back(range);  // it was exclusive
  count_wanted();
  send(file, kind, told);
}

void TreeLocks::count_wanted() {
  uint32_t count = 0;
  for (const auto& [id, file] : files_)
    for (const Held& held : file->kinds) count += is_wanted(held) ? 1 : 0;
  environment_.wanted->fetch_add(count - std::exchange(counted_, count));
}

void TreeLocks::look() {
  for (const auto& [id, file] : files_)
    for (const LockKind kind : {LockKind::range, LockKind::whole})
      if (is_wanted(file->kinds[index(kind)])) give_back(file, kind);
}

// Or the host does not tell.
bool TreeLocks::has_unused(const File& file, LockKind kind) {
  const Held& held = file.kinds[index(kind)];
  auto in_use = locks_in_use(file.pages->fd(), kind);
  if (!in_use || held.is_asked) return true;
  in_use->intersect(held.locks);
  return *in_use != held.locks;
}

void TreeLocks::settle() {
  const int64_t give_up_ms = now_ms() + most_wait_ms;
  std::vector<FilePtr> files;
  for (const auto& [id, file] : files_) files.push_back(file);
  for (const FilePtr& file : files)
    for (const LockKind kind : {LockKind::range, LockKind::whole}) {
      Held& held = file->kinds[index(kind)];
      while (is_wanted(held) && now_ms() < give_up_ms && !environment_.is_locking() && has_unused(*file, kind)) {
        give_back(file, kind);
        held.changed.wait();
      }
    }
}

bool TreeLocks::is_idle(const FilePtr& file) const {
  const auto is_unused = [&](const Held& held) {
    return !held.is_giving && !held.is_asked && held.under_way == 0 && now_ms() - held.used_ms > idle_ms;
  };
  if (!std::ranges::all_of(file->kinds, is_unused) || file.use_count() > 1 || environment_.is_locking() ||
      file->pages->is_written())
    return false;
  for (const LockKind kind : {LockKind::range, LockKind::whole}) {
    const auto in_use = locks_in_use(file->pages->fd(), kind);
    if (in_use && in_use->is_empty()) continue;
    file->kinds[index(kind)].used_ms = now_ms();
    return false;
  }
  return true;
}

// Closing the fid gives all back.
void TreeLocks::tick() {
  look();
  for (const auto& [id, file] : files_)
    for (Held& held : file->kinds) held.changed.wake_all();
  constexpr unsigned look_every = 20;
  if (++ticks_ % look_every != 0) return;
  std::erase_if(files_, [this](const auto& entry) { return is_idle(entry.second); });
  count_wanted();
}

}  // namespace osp::keeper
