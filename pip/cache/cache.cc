// Cache: what goes to the server, and leases that are taken back.
#include "pip/cache/cache.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "pip/access.h"
#include "pip/cache/replies.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

// The fids that a message needs at the server.
struct Needed {
  std::vector<uint32_t> fids;
  void operator()(const Topen& t) { fids = {t.fid}; }
  void operator()(const Tcreate& t) { fids = {t.fid}; }
  void operator()(const Tread& t) { fids = {t.fid}; }
  void operator()(const Twrite& t) { fids = {t.fid}; }
  void operator()(const Tremove& t) { fids = {t.fid}; }
  void operator()(const Tclunk& t) { fids = {t.fid}; }
  void operator()(const Tcommit& t) { fids = {t.fid}; }
  void operator()(const Trename& t) { fids = {t.fid, t.dfid}; }
  void operator()(const Tlink& t) { fids = {t.fid, t.dfid}; }
  void operator()(const Tlock& t) { fids = {t.fid}; }
  template <class T>
  void operator()(const T&) {}
};

// Whether it may change what is at a path.
bool changes_entry(const Footprint& what, std::string_view path) {
  const auto is_it = [path](const std::string& one) { return one == path; };
  const auto is_above = [path](const std::string& one) { return is_within(path, one); };
  return std::ranges::any_of(what.files, is_it) || std::ranges::any_of(what.names, is_it) ||
         std::ranges::any_of(what.trees, is_above);
}

bool touches(const Footprint& what, std::string_view path) {
  const auto is_it = [path](const std::string& one) { return one == path || directory_of(one) == path; };
  const auto is_above = [path](const std::string& one) { return is_within(path, one) || directory_of(one) == path; };
  return std::ranges::any_of(what.files, is_it) || std::ranges::any_of(what.names, is_it) ||
         std::ranges::any_of(what.trees, is_above);
}

size_t size_of(const Message& message) {
  const auto* const write = std::get_if<Twrite>(&message);
  return write != nullptr ? write->dat.size() : 0;
}

// After the first error a server would have stopped.
void cut_after_error(std::vector<Message>& replies) {
  const auto error = std::ranges::find_if(replies, [](const auto& m) { return std::holds_alternative<Rerror>(m); });
  if (error != replies.end()) replies.erase(error + 1, replies.end());
}

// The fid of a single message that comes after all that was written to it, and says whether that went well.
uint32_t tells_of(const std::vector<Message>& messages) {
  if (messages.size() != 1) return no_fid;
  if (const auto* const commit = std::get_if<Tcommit>(&messages[0])) return commit->fid;
  const auto* const write = std::get_if<Twrite>(&messages[0]);
  return write != nullptr && !write->attr.empty() ? write->fid : no_fid;
}

// What goes over the line, for whoever wants to know where the round trips are (OSP_LOG=cache=trace).
void trace_sent(const std::vector<Message>& messages, const char* what) {
  if (!log::enabled("cache", log::Level::trace)) return;
  std::string text;
  for (const Message& message : messages) text += print(message) + "; ";
  log::print("cache", log::Level::trace, "{}: {}", what, text);
}

}  // namespace

uint32_t Cache::fid_of(const Message& message) {
  Needed of;
  std::visit(of, message);
  return of.fids.empty() ? no_fid : of.fids[0];
}

Cache::Cache(std::unique_ptr<LeaseChannel> below, KnownTree::Limits limits, Spawn spawn)
    : owned_(std::move(below)), below_(*owned_), tree_(limits), spawn_(std::move(spawn)) {
  below_.set_holder(this);
}

Cache::~Cache() {
  *alive_ = false;
  below_.set_holder(nullptr);
}

std::string Cache::path_of(uint32_t fid) const {
  const auto found = fids_.find(fid);
  return found == fids_.end() ? std::string() : found->second.path;
}

std::string Cache::path_of(uint32_t fid, std::string_view below) const { return join_paths(path_of(fid), below); }

std::optional<uint32_t> Cache::root() const {
  for (const auto& [number, file] : fids_)
    if (file.is_attached) return number;
  return std::nullopt;
}

Result<uint64_t> Cache::submit(const std::vector<Message>& messages, uint16_t flags) {
  take_fetched();
  const auto open = as_open(messages);
  const std::string path = open ? path_of(open->fid, open->path) : std::string();
  const Fetch* const fetched = open ? is_fetched(path) : nullptr;
  Pending pending;
  if (auto ready = answer(messages)) {
    pending.ready = std::move(ready);
  } else if (fetched != nullptr && !fetched->is_awaited) {
    pending.fetched = open;
  } else {
    OSP_ASSIGN(pending, begin(messages, flags));
  }
  ++(pending.ready || pending.fetched ? counts_.answered : counts_.passed);
  if (open && knows()) read_ahead(path);
  pending_.emplace(++last_tag_, std::move(pending));
  return last_tag_;
}

// What goes to the server, even if it is answered before that has done it.
Result<Cache::Pending> Cache::begin(const std::vector<Message>& messages, uint16_t flags) {
  auto error = late_error(messages);
  if (error && !std::holds_alternative<Tclunk>(messages[0])) return Pending{.ready = std::move(error)};
  auto prediction =
      error ? Prediction{.answer = std::move(*error), .path = path_of(fid_of(messages[0]))} : predict(messages);
  return prediction ? begin_predicted(messages, std::move(*prediction)) : pass(messages, flags, true);
}

Result<Cache::Pending> Cache::begin_predicted(const std::vector<Message>& messages, Prediction prediction) {
  const bool makes_fid = prediction.opens != no_fid;
  const bool makes_directory = prediction.made && S_ISDIR(prediction.made->mode);
  Behind behind{.fid = makes_fid ? prediction.opens : fid_of(messages[0]),
                .path = prediction.path,
                .size = size_of(messages.back()),
                .making = makes_directory ? ++last_making_ : 0,
                .opening = makes_fid ? prediction.file.opening : prediction.opening,
                .makes_fid = makes_fid};
  trace_sent({}, "answered before it is done");
  const std::vector<Message> sent = with_stat(messages);
  OSP_ASSIGN(Pending pending, pass(sent, sent.size() > messages.size() ? flag_each : 0, true));
  if (makes_fid) fids_[prediction.opens] = std::move(prediction.file);
  if (prediction.made) tree_.make(prediction.path, *prediction.made, behind.making);
  send_behind(std::move(pending), std::move(behind));
  return Pending{.ready = std::move(prediction.answer)};
}

void Cache::forget(uint64_t tag) {
  const auto found = pending_.find(tag);
  if (found == pending_.end()) return;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (pending.ready || pending.fetched) return;
  const bool is_plain = pending.opening == 0 && !pending.listing &&
                        std::ranges::all_of(pending.notes, [](const Note& note) { return note.changes.is_empty(); });
  if (is_plain && pending.closing.empty()) {
    arrived(pending);
    return below_.forget(pending.below);
  }
  // What it changes is not known to have happened: it is forgotten for as long as it may still happen.
  spawn_([this, alive = alive_, kept = std::make_shared<Pending>(std::move(pending))] {
    if (!*alive) return;
    if (kept->opening != 0) end_opening(*kept);
    auto answer = below_.wait(kept->below);
    if (kept->listing) --listings_;
    arrived(*kept);
    if (answer) (void)finish(*kept, std::move(*answer));
  });
}

// What is done to fids here is done at once: what follows is sent later.
Result<Cache::Pending> Cache::pass(const std::vector<Message>& messages, uint16_t flags, bool may_list) {
  Pending pending{.stops = (flags & flag_each) == 0};
  if (may_list && knows()) pending.listing = wish(messages);
  pending.tells = tells_of(messages);
  pending.commits = pending.tells != no_fid && std::holds_alternative<Tcommit>(messages[0]);
  FootprintReader reader(
      [this](uint32_t fid) { return fids_.contains(fid) ? std::optional(path_of(fid)) : std::nullopt; });
  for (const Message& message : messages) {
    pending.notes.push_back(note(message, reader));
    change(pending.notes.back().changes);
    tree_.forget_file(pending.notes.back().id);
  }
  OSP_TRY(open_at_server(needed_at_server(messages, pending.notes), pending));
  // The number is free from now on, whatever the answer.
  for (Note& note : pending.notes)
    if (note.is_clunk && fids_.erase(note.fid) > 0) pending.closing.push_back(std::exchange(note.fid, no_fid));
  closing_.insert(pending.closing.begin(), pending.closing.end());
  pending.serial = serial_;
  pending.epoch = below_.lease_epoch();
  pending.is_unsure = !is_sure(pending.notes);
  if (!pending.listing) {
    trace_sent(messages, "sent");
    OSP_ASSIGN(pending.below, below_.submit(messages, flags));
    sent(pending);
    return pending;
  }
  const Listing& listing = *pending.listing;
  std::vector<Message> sent;
  if (!listing.is_instead) sent = messages;
  sent.insert(listing.is_behind ? sent.end() : sent.begin(),
              Tlist{.fid = *root(), .path = listing.path, .depth = listing.depth, .count = listing.count});
  trace_sent(sent, "sent");
  OSP_ASSIGN(pending.below, below_.submit(sent, listing.is_behind ? flags : flags | flag_each));
  this->sent(pending);
  ++listings_;
  if (!std::exchange(has_probed_, true)) probe();
  return pending;
}

// The fids that a group uses, and the open files that would not be found any more after it.
std::vector<uint32_t> Cache::needed_at_server(const std::vector<Message>& messages,
                                              const std::vector<Note>& notes) const {
  std::vector<uint32_t> needed;
  for (const Message& message : messages) {
    Needed of;
    std::visit(of, message);
    needed.insert(needed.end(), of.fids.begin(), of.fids.end());
  }
  for (const Note& note : notes)
    for (const std::string& tree : note.changes.trees)
      for (const auto& [number, file] : fids_)
        if (file.is_here && is_within(file.path, tree)) needed.push_back(number);
  return needed;
}

// In a group of its own, in front.
Result<void> Cache::open_at_server(const std::vector<uint32_t>& fids, Pending& pending) {
  std::vector<Message> opens;
  for (const uint32_t number : fids) {
    const auto found = fids_.find(number);
    if (found == fids_.end() || !found->second.is_here || found->second.is_orphan || !root()) continue;
    OpenFile& file = found->second;
    file.is_here = false;
    pending.opened.push_back(number);
    opens.emplace_back(Topen{.fid = *root(), .nfid = number, .path = file.path, .mode = file.mode});
  }
  if (opens.empty()) return {};
  constexpr size_t most = 60;  // in a group
  if (opens.size() > most) opens.resize(most);
  for (size_t i = most; i < pending.opened.size(); ++i) fids_.at(pending.opened[i]).is_here = true;
  if (pending.opened.size() > most) pending.opened.resize(most);
  OSP_ASSIGN(pending.opening, below_.submit(opens, flag_each | flag_overtakes));
  return {};
}

// Where another file has the name now, or none, somebody changed it who did not ask: what is known of ours stays.
void Cache::end_opening(const Pending& pending) {
  const auto answer = below_.wait(pending.opening);
  if (!answer) return;
  for (size_t i = 0; i < pending.opened.size() && i < answer->replies.size(); ++i) {
    const auto found = fids_.find(pending.opened[i]);
    if (found == fids_.end()) continue;
    OpenFile& file = found->second;
    const auto* const error = std::get_if<Rerror>(&answer->replies[i]);
    const auto* const open = std::get_if<Ropen>(&answer->replies[i]);
    const auto attributes = open != nullptr ? unpack_attributes(open->attributes) : fail(EPROTO);
    if (attributes && attributes->id == file.id) continue;
    const bool is_gone =
        error == nullptr || error->number == ENOENT || error->number == ENOTDIR || error->number == ELOOP;
    log::debug("cache", "'{}' is {}", file.path, is_gone ? "gone" : "not to be opened any more");
    if (open != nullptr)
      if (const auto tag = below_.submit({Tclunk{.fid = found->first}}, flag_overtakes)) below_.forget(*tag);
    file.is_here = file.is_orphan = true;
    if (!is_gone) file.error = ESTALE;
  }
}

Result<Answer> Cache::wait(uint64_t tag) {
  const auto found = pending_.find(tag);
  if (found == pending_.end()) return fail(EINVAL);
  Pending pending = std::move(found->second);
  pending_.erase(found);
  if (pending.ready) return std::move(*pending.ready);
  if (pending.fetched) return wait_for_fetched(*pending.fetched);
  if (pending.listing && pending.listing->is_instead) return wait_for_listing(pending);
  if (pending.opening != 0) end_opening(pending);
  auto answer = below_.wait(pending.below);
  if (pending.listing) --listings_;
  arrived(pending);
  if (!answer) {
    for (const Note& note : pending.notes) change(note.changes);
    return answer;
  }
  Answer done = finish(pending, std::move(*answer));
  // What it was to make sure of has failed before it.
  auto error = error_before(pending);
  return error ? std::move(*error) : std::move(done);
}

Result<Answer> Cache::wait_for_listing(Pending& pending) {
  if (pending.opening != 0) end_opening(pending);
  const auto listing = below_.wait(pending.below);
  --listings_;
  arrived(pending);
  if (!listing) return std::unexpected(listing.error());
  if (!listing->replies.empty()) learn_listing(pending, listing->replies[0]);
  return go_on(pending.listing->open);
}

Result<Answer> Cache::wait_for_fetched(const Open& open) {
  if (Fetch* const fetched = is_fetched(path_of(open.fid, open.path)); fetched != nullptr && !fetched->is_awaited)
    await_fetch(*fetched);
  return go_on(open);
}

// What it waited for has come: it may be of use, or not.
Result<Answer> Cache::go_on(const Open& open) {
  const std::vector<Message> messages = open.messages();
  if (auto ready = answer(messages)) return std::move(*ready);
  OSP_ASSIGN(Pending pending, pass(messages, 0, false));
  pending_.emplace(++last_tag_, std::move(pending));
  return wait(last_tag_);
}

// What came beside the answer.
std::optional<Message> Cache::take_listing(const Pending& pending, Answer& answer) {
  if (!pending.listing || pending.listing->is_instead || answer.replies.empty()) return std::nullopt;
  if (pending.listing->is_behind) {
    if (answer.replies.size() <= pending.notes.size()) return std::nullopt;
    const Message listing = answer.replies.back();
    answer.replies.pop_back();
    return listing;
  }
  const Message listing = answer.replies.front();
  answer.replies.erase(answer.replies.begin());
  for (Message& reply : answer.replies)
    if (auto* error = std::get_if<Rerror>(&reply); error != nullptr && error->index > 0) --error->index;
  if (pending.stops) cut_after_error(answer.replies);
  return listing;
}

Answer Cache::finish(Pending& pending, Answer answer) {
  const auto listing = take_listing(pending, answer);
  if (listing && !pending.listing->is_behind) learn_listing(pending, *listing);
  std::vector<Footprint> done;
  for (size_t i = 0; i < pending.notes.size(); ++i) {
    const Note& note = pending.notes[i];
    if (!note.changes.is_empty()) {
      change(note.changes);
      --serial_, changes_.pop_back();  // it does not stand against what its own group teaches
      done.push_back(note.changes);
    }
    if (i < answer.replies.size()) learn(pending, note, answer.replies[i]);
  }
  if (listing && pending.listing->is_behind) {
    const auto* const create = answer.replies.empty() ? nullptr : std::get_if<Rcreate>(&answer.replies[0]);
    learn_new_directory(pending, *listing, create != nullptr && (create->created & created_first) != 0);
  }
  for (const Footprint& what : done) log_change(what);
  trim_changes();
  // A file that could not be opened for it.
  if (answer.replies.size() == 1 && pending.notes.size() == 1 && std::holds_alternative<Rerror>(answer.replies[0])) {
    const Note& note = pending.notes[0];
    const auto file = fids_.find(note.fid);
    if (file != fids_.end() && file->second.is_orphan && note.count > 0)
      if (auto ready =
              answer_read({.fid = note.fid, .offset = note.offset, .count = note.count, .attrs = note.attribute}))
        return std::move(*ready);
  }
  return answer;
}

void Cache::log_change(const Footprint& what) { changes_.push_back({.serial = ++serial_, .what = what}); }

// Begins and ends a change of ours: what is known of it, and what is being asked about it, is not to be kept.
void Cache::change(const Footprint& what) {
  if (what.is_empty()) return;
  for (const std::string& path : what.files) tree_.forget(path);
  for (const std::string& path : what.names) tree_.forget_name(path);
  for (const std::string& path : what.trees) tree_.forget_tree(path);
  log_change(what);
}

bool Cache::may_keep(const Pending& pending, std::string_view path) const {
  if (pending.epoch != below_.lease_epoch()) return false;
  return std::ranges::none_of(changes_, [&](const Change& one) {
    return one.serial > pending.serial && (touches(one.what, path) || touches(one.what, directory_of(path)));
  });
}

bool Cache::may_keep_entry(const Pending& pending, std::string_view path) const {
  if (pending.epoch != below_.lease_epoch()) return false;
  return std::ranges::none_of(
      changes_, [&](const Change& one) { return one.serial > pending.serial && changes_entry(one.what, path); });
}

void Cache::sent(const Pending& pending) {
  in_flight_.insert(pending.serial);
  if (pending.is_unsure) ++unsure_;
}

// Only what is on its way must know of them.
void Cache::arrived(const Pending& pending) {
  if (pending.is_unsure) --unsure_;
  if (const auto found = in_flight_.find(pending.serial); found != in_flight_.end()) in_flight_.erase(found);
  for (const uint32_t fid : pending.closing) closing_.erase(closing_.find(fid));
}

void Cache::trim_changes() {
  const uint64_t oldest = in_flight_.empty() ? serial_ : *in_flight_.begin();
  while (!changes_.empty() && changes_.front().serial <= oldest) changes_.pop_front();
}

std::vector<uint32_t> Cache::files_here(std::string_view directory) const {
  std::vector<uint32_t> here;
  for (const auto& [number, file] : fids_)
    if (file.is_here && !file.is_orphan && S_ISREG(file.file_mode) && directory_of(file.path) == directory)
      here.push_back(number);
  return here;
}

// As many groups as it takes.
void Cache::open_all(const std::function<std::vector<uint32_t>()>& left) {
  for (auto fids = left(); !fids.empty(); fids = left()) {
    Pending pending;
    if (!open_at_server(fids, pending) || pending.opening == 0) return;
    end_opening(pending);
  }
}

// The files that are open in it come first.
void Cache::give_back(uint64_t lease, const std::string& directory, bool is_recall) {
  const auto end = [this, lease, is_recall] {
    if (is_recall) return below_.returned(lease, last_sent_behind());
    if (const auto tag = below_.submit({Trelease{.lease = lease}}, 0)) below_.forget(*tag);
  };
  // A listing that is on its way, or comes meanwhile, may be of the same lease.
  if (!is_recall) given_up_.insert(lease);
  if (files_here(directory).empty()) return end();
  spawn_([this, alive = alive_, directory, end] {
    if (!*alive) return;
    open_all([this, directory] { return files_here(directory); });
    if (*alive) end();
  });
}

void Cache::recalled(uint64_t lease) {
  std::string directory;
  tree_.forget_unleased();  // it may be of one of these, or above
  if (tree_.end(lease, directory)) {
    ++recalls_;
    on_recall_();
    log_change(
        {.files = {}, .names = {}, .trees = {directory}, .is_anywhere = false});  // what is on its way is from before
    trim_changes();
    return give_back(lease, directory, true);
  }
  constexpr size_t most_early = 65536;
  if (early_recalls_.size() > most_early) return leases_lost();  // a server that makes no sense
  if (listings_ > 0) early_recalls_.push_back(lease);
  below_.returned(lease, last_sent_behind());
}

void Cache::leases_lost() {
  ++recalls_;
  on_recall_();
  tree_.clear();
  early_recalls_.clear();
  const auto all = [this] {
    std::vector<uint32_t> here;
    for (const auto& [number, file] : fids_)
      if (file.is_here && !file.is_orphan && S_ISREG(file.file_mode)) here.push_back(number);
    return here;
  };
  if (all().empty()) return;
  spawn_([this, alive = alive_, all] {
    if (*alive) open_all(all);
  });
}

}  // namespace osp::pip
