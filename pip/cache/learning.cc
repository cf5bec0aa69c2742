// Cache: what replies teach, and which listings are worth having.
#include <sys/stat.h>

#include <algorithm>

#include "pip/access.h"
#include "pip/cache/cache.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr std::string_view name_mode = "n";
constexpr uint32_t listing_beside = 128 * 1024;  // bytes, of one that comes along with something else
constexpr uint32_t listing_tree = 512 * 1024;    // of one with those below
constexpr uint16_t tree_depth = 32;
constexpr unsigned touches_before_again = 4;
constexpr uint64_t unlistable_for = 1000;  // groups
constexpr size_t most_touched = 4096;
constexpr uint32_t rename_exchange = 2;

bool has(std::string_view mode, char letter) { return mode.find(letter) != std::string_view::npos; }

}  // namespace

std::vector<Message> Cache::Open::messages() const {
  std::vector<Message> all = {Topen{.fid = fid, .nfid = nfid, .path = path, .mode = mode}};
  if (reads) all.emplace_back(Tread{.fid = nfid, .offset = 0, .count = count, .attrs = ""});
  if (clunks) all.emplace_back(Tclunk{.fid = nfid});
  return all;
}

namespace {

// Fills in what a kind of message is about; `path`: of a fid, with a path below it.
struct Taker {
  Cache::Note& note;
  const FootprintReader& reader;
  void operator()(const Tattach& t) { note.fid = t.fid; }
  void operator()(const Topen& t) {
    note.fid = t.nfid, note.mode = t.mode, note.path = reader.path(t.fid, t.path).value_or("");
  }
  void operator()(const Tcreate& t) {
    note.fid = t.nfid, note.mode = t.mode, note.path = reader.path(t.fid, t.name).value_or("");
    note.is_link = S_ISLNK(t.perm);
  }
  void operator()(const Tread& t) {
    note.fid = t.fid, note.attribute = t.attrs, note.offset = t.offset, note.count = t.count;
    note.path = reader.path(t.fid).value_or("");
  }
  void operator()(const Twrite& t) { note.fid = t.fid; }
  void operator()(const Tclunk& t) { note.fid = t.fid, note.is_clunk = true; }
  void operator()(const Trename& t) { note.exchanges = t.flags == rename_exchange; }
  template <class T>
  void operator()(const T&) {}
};

}  // namespace

Cache::Note Cache::note(const Message& message, FootprintReader& reader) {
  Note made{.changes = reader.next(message)};
  std::visit(Taker{made, reader}, message);
  // The file of a fid that is written may have another name by now.
  if (const auto* const write = std::get_if<Twrite>(&message)) {
    if (const auto file = fids_.find(made.fid); file != fids_.end()) made.id = file->second.id;
    note_mode(*write, made.changes);
  }
  return made;
}

// Of a directory that its owner closes to himself.
void Cache::note_mode(const Twrite& write, const Footprint& changes) {
  const auto change = write.attr == "stat" ? unpack_change(write.dat) : fail(EINVAL);
  if (!change || !change->has_mode || is_open_to_owner(change->mode)) return;
  for (const std::string& path : changes.files) tree_.learn_owner(path, std::nullopt);
}

// Open files follow what we rename.
void Cache::rename(const std::string& from, const std::string& to, bool exchanges) {
  for (auto& [number, file] : fids_) {
    if (is_within(file.path, from)) {
      file.path = to + file.path.substr(from.size());
    } else if (exchanges && is_within(file.path, to)) {
      file.path = from + file.path.substr(to.size());
    }
  }
}

void Cache::learn(const Pending& pending, const Note& note, const Message& reply) {
  if (const auto* error = std::get_if<Rerror>(&reply)) {
    learn_error(pending, note, *error);
  } else if (std::holds_alternative<Rattach>(reply)) {
    fids_[note.fid] = {.path = "", .mode = "", .file_mode = S_IFDIR, .is_attached = true};
  } else if (const auto* open = std::get_if<Ropen>(&reply)) {
    learn_open(pending, note, open->attributes, 0);
  } else if (const auto* create = std::get_if<Rcreate>(&reply)) {
    makes_links_ = makes_links_ || note.is_link;
    learn_open(pending, note, create->attributes, create->created);
  } else if (const auto* read = std::get_if<Rread>(&reply)) {
    learn_read(pending, note, *read);
  } else if (std::holds_alternative<Rwrite>(reply)) {
    tree_.forget_file(note.id);
  } else if (std::holds_alternative<Rrename>(reply) && note.changes.trees.size() == 2) {
    rename(note.changes.trees.at(0), note.changes.trees.at(1), note.exchanges);
    if (!note.exchanges && may_keep_entry(pending, note.changes.trees.at(0))) tree_.remove(note.changes.trees.at(0));
  } else if (std::holds_alternative<Rclunk>(reply)) {
    fids_.erase(note.fid);
  } else if (std::holds_alternative<Rremove>(reply)) {
    for (const std::string& path : note.changes.trees)
      if (may_keep_entry(pending, path)) tree_.remove(path);
  }
}

void Cache::learn_open(const Pending& pending, const Note& note, std::string_view packed, uint8_t created) {
  const auto attributes = unpack_attributes(packed);
  if (note.fid != no_fid && note.mode != name_mode)
    fids_[note.fid] = {.path = note.path,
                       .mode = note.mode,
                       .id = attributes ? attributes->id : 0,
                       .file_mode = attributes ? attributes->mode : 0,
                       .is_ours = created != 0,
                       .attributes = attributes.value_or(Attributes{})};
  if (!attributes) return;
  const bool is_stat = note.mode != name_mode || note.fid == no_fid;
  const bool may = S_ISDIR(attributes->mode) ? may_keep(pending, note.path) : may_keep_entry(pending, note.path);
  if (is_stat && may) tree_.put_entry(note.path, *attributes);
  if (created == 0 || !may) return;
  if ((created & created_first) != 0)
    tree_.learn_owner(directory_of(note.path), KnownTree::Owner{.uid = attributes->uid, .gid = attributes->gid});
  tree_.make(note.path, *attributes, 0);
}

// Of what a file holds, as long as it is the version that is known.
void Cache::learn_read(const Pending& pending, const Note& note, const Rread& read) {
  if (!knows() || !may_keep(pending, note.path)) return;
  const auto file = fids_.find(note.fid);
  if (file == fids_.end()) return;
  if (note.attribute == "stat") {
    const auto attributes = unpack_attributes(read.dat);
    const KnownTree::Found found = tree_.find(note.path);
    const bool is_its_name = found.entry != nullptr && found.attributes.id == file->second.id;
    const bool is_directory = S_ISDIR(file->second.file_mode) && tree_.find_directory(note.path) != nullptr;
    if (attributes && (is_its_name || is_directory)) tree_.put_entry(note.path, *attributes);
    return;
  }
  if (!note.attribute.empty() || !S_ISREG(file->second.file_mode)) return;
  KnownTree::Entry* const entry = tree_.find_file(file->second.id);
  const bool is_short = read.dat.size() < note.count;
  if (entry == nullptr || (is_short && note.offset + read.dat.size() != entry->entry.attributes.size)) return;
  tree_.add_content(*entry, note.offset, read.dat);
}

void Cache::learn_error(const Pending& pending, const Note& note, const Rerror& error) {
  if (note.is_clunk) fids_.erase(note.fid);
  if (note.mode == name_mode && note.fid == no_fid && error.number == ENOENT && may_keep(pending, note.path) &&
      tree_.find_directory(directory_of(note.path)) != nullptr)
    tree_.remove(note.path);
  if (note.attribute.empty() || (error.number != ENODATA && error.number != EOPNOTSUPP)) return;
  const KnownTree::Found found = tree_.find(note.path);
  if (found.answer != KnownTree::Answer::here) return;
  const bool is_plain = found.entry != nullptr ? found.entry->is_plain : found.directory->is_plain;
  if (is_plain) plain_errors_[{KnownTree::kind_of(found.attributes), note.attribute}] = error.number;
}

void Cache::learn_listing(const Pending& pending, const Message& reply) {
  const auto* const list = std::get_if<Rlist>(&reply);
  auto listing = list != nullptr ? unpack_listing(list->dat) : fail(EPROTO);
  const bool is_useful = listing && !listing->empty() && listing->front().lease != 0;
  const auto* const error = std::get_if<Rerror>(&reply);
  const bool may_come =
      error != nullptr && (error->number == ENOENT || error->number == ENOTDIR || error->number == ELOOP);
  if (!is_useful && !may_come) unlistable_[pending.listing->path] = counts_.passed + unlistable_for;
  if (!listing) return;
  for (ListedDirectory& directory : *listing) {
    const uint64_t lease = directory.lease;
    if (lease == 0 || given_up_.contains(lease) || std::ranges::find(early_recalls_, lease) != early_recalls_.end())
      continue;
    const std::string path = directory.path;
    // It stays ours at the server, and will be there for the next listing.
    if (!may_keep(pending, path)) continue;
    touched_.erase(path);
    const bool is_top = pending.listing->depth > 1 && path == pending.listing->path;
    for (const auto& [old, number] : tree_.put(std::move(directory), is_top))
      if (number != lease) give_back(number, old, false);
  }
  if (listings_ == 0) early_recalls_.clear();
  if (unlistable_.size() > most_touched) unlistable_.clear();
  if (plain_errors_.size() > most_touched) plain_errors_.clear();
}

uint32_t Cache::beside() const { return std::min(listing_beside, below_.iounit() / 4); }

// One that we have just made, and so ours.
void Cache::learn_new_directory(const Pending& pending, const Message& reply, bool is_first) {
  const std::string& path = pending.listing->path;
  learn_listing(pending, reply);
  const KnownTree::Directory* const directory = tree_.find_directory(path);
  if (directory == nullptr || !directory->has_attributes) return;
  const Attributes attributes = directory->attributes;
  const bool is_alone = directory->is_exclusive;
  const KnownTree::Owner owner{.uid = attributes.uid, .gid = attributes.gid};
  if (is_first && may_keep_entry(pending, path)) tree_.learn_owner(directory_of(path), owner);
  if (is_alone && is_open_to_owner(attributes.mode)) tree_.learn_owner(path, owner);
  tree_.make(path, attributes, 0);
}

bool Cache::is_listable(const std::string& path) {
  const auto found = unlistable_.find(path);
  if (found == unlistable_.end()) return true;
  if (found->second > counts_.passed) return false;
  unlistable_.erase(found);
  return true;
}

// The directory to list with what is below, so that one is known that has not come with its own: the one above, once,
// for who looks at one will look at its siblings.
std::string Cache::top_for(const std::string& path) {
  if (path.empty()) return path;
  const KnownTree::Directory* const above = tree_.find_directory(directory_of(path));
  return above != nullptr && !above->was_top && is_listable(above->path) ? above->path : path;
}

std::optional<Cache::Listing> Cache::wish_directory(Open open, const std::string& path) {
  Listing listing{
      .path = top_for(path), .depth = tree_depth, .count = listing_tree, .is_instead = true, .open = std::move(open)};
  return is_listable(listing.path) ? std::optional(std::move(listing)) : std::nullopt;
}

// Of what is near one that is looked at.
std::optional<Cache::Listing> Cache::wish_near(const std::string& path, bool is_opened) {
  const std::string directory(directory_of(path));
  const KnownTree::Directory* const leased = tree_.find_directory(directory);
  Listing listing{.path = directory, .depth = tree_depth, .count = beside()};
  if (leased != nullptr && !path.empty() && tree_.is_directory_name(path)) {
    if (tree_.find_directory(path) == nullptr) {
      listing.path = top_for(path), listing.count = listing_tree;
    } else {
      listing.path = path, listing.depth = 1;
    }
  } else if (leased != nullptr) {
    listing.depth = 1;
    if (is_opened && !path.empty() && tree_.find(path).answer == KnownTree::Answer::here) return std::nullopt;
  }
  if (!is_listable(listing.path)) return std::nullopt;
  if (listing.depth > 1) return listing;
  // One that is known is listed again when much of it has changed.
  if (touched_.size() > most_touched) touched_.clear();
  if (++touched_[listing.path] < touches_before_again) return std::nullopt;
  touched_.erase(listing.path);
  return listing;
}

// A group that opens something to be read, perhaps reads it, and perhaps closes it.
std::optional<Cache::Open> Cache::as_open(const std::vector<Message>& messages) const {
  const auto* const open = messages.empty() ? nullptr : std::get_if<Topen>(&messages[0]);
  if (open == nullptr || open->nfid == no_fid || open->mode.find_first_not_of("rd") != std::string_view::npos)
    return std::nullopt;
  const auto* const read = messages.size() > 1 ? std::get_if<Tread>(&messages[1]) : nullptr;
  const bool clunks = messages.size() > 1 && std::holds_alternative<Tclunk>(messages.back());
  if (1 + (read != nullptr ? 1U : 0U) + (clunks ? 1U : 0U) != messages.size()) return std::nullopt;
  return Open{.path = std::string(open->path),
              .mode = std::string(open->mode),
              .fid = open->fid,
              .nfid = open->nfid,
              .count = read != nullptr ? read->count : 0,
              .reads = read != nullptr,
              .clunks = clunks};
}

// Of the directory that it makes: then all that is made there is known, too.
std::optional<Cache::Listing> Cache::wish_made(const Tcreate& create) {
  if (!S_ISDIR(create.perm) || !fids_.contains(create.fid) || !is_clean_path(create.name) || !tree_.has_room())
    return std::nullopt;
  const std::string path = path_of(create.fid, create.name);
  return Listing{.path = path, .depth = 1, .count = beside(), .is_behind = true};
}

std::optional<Cache::Listing> Cache::wish(const std::vector<Message>& messages) {
  if (const auto* create = messages.size() == 1 ? std::get_if<Tcreate>(&messages[0]) : nullptr; create && root())
    return wish_made(*create);
  const auto* const first = messages.empty() ? nullptr : std::get_if<Topen>(&messages[0]);
  if (first == nullptr || !root() || !is_clean_path(first->path)) return std::nullopt;
  const std::string path = path_of(first->fid, first->path);
  const bool is_named = first->mode == name_mode;
  const auto open = as_open(messages);
  const bool looks = is_named && (messages.size() == 1 || std::holds_alternative<Tread>(messages[1]));
  if (!open && !looks) return std::nullopt;
  const KnownTree::Found found = tree_.find(path);
  const bool is_known = found.answer == KnownTree::Answer::here;
  if (open && (has(open->mode, 'd') || (is_known && S_ISDIR(found.attributes.mode))))
    return wish_directory(*open, path);
  return wish_near(path, open.has_value());
}

}  // namespace osp::pip
