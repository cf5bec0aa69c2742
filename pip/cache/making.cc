// Cache: what makes something and is answered before it is done, and what is about what we made. A name is ours to give
// where we have the lease of its directory, and have made something there before (docs/pip.md, "Leases").
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "pip/access.h"
#include "pip/cache/cache.h"
#include "pip/cache/replies.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr std::string_view name_mode = "n";
constexpr size_t longest_name = 255;
constexpr size_t longest_target = 1024;
constexpr uint32_t permission_bits = 07777;

// Types of which a server surely makes one where it made another.
bool is_common(uint32_t type) { return type == 0 || S_ISREG(type) || S_ISDIR(type) || S_ISLNK(type); }

}  // namespace

// Its number is the server's to give: 0, until it is known. Who asks for it waits.
std::optional<Cache::Prediction> Cache::predict_create(const Tcreate& create) {
  const uint32_t type = create.perm & S_IFMT;
  const bool opens = create.nfid != no_fid;
  if (!knows() || !may_be_first(create) || !is_common(type) || !fids_.contains(create.fid) ||
      !is_clean_path(create.name))
    return std::nullopt;
  if (opens ? (type != 0 && type != S_IFREG) || create.mode.empty() || fids_.contains(create.nfid) : type == 0)
    return std::nullopt;
  const std::string path = path_of(create.fid, create.name);
  if (tree_.find(path).answer != KnownTree::Answer::absent || name_of(path).size() > longest_name) return std::nullopt;
  const KnownTree::Directory* const directory = tree_.find_directory(directory_of(path));
  if (directory == nullptr || !directory->makes || is_held(path)) return std::nullopt;
  const Attributes attributes{.mode = (type == 0 ? S_IFREG : type) | (create.perm & permission_bits),
                              .uid = directory->makes->uid,
                              .gid = directory->makes->gid};
  const std::string packed = opens ? pack(attributes) : std::string();
  const uint32_t unit = opens ? iounit() : 0;
  Prediction made{.answer = make_answer({Rcreate{.iounit = unit, .attributes = packed, .created = 1}}),
                  .path = path,
                  .made = attributes,
                  .opens = create.nfid};
  made.file = {.path = path,
               .mode = std::string(create.mode),
               .file_mode = attributes.mode,
               .is_ours = true,
               .is_written = true,
               .opening = ++last_opening_,
               .attributes = attributes};
  return made;
}

// What must not be there already is ours to make only while nothing that we did before can be waiting for others, and
// the server is heard.
bool Cache::may_be_first(const Tcreate& create) const {
  const uint32_t type = create.perm & S_IFMT;
  const bool must_be_first = (type != 0 && type != S_IFREG) || create.mode.find('e') != std::string_view::npos;
  if (type == S_IFDIR && !tree_.has_room()) return false;
  if (type == S_IFLNK && (!makes_links_ || create.target.size() >= longest_target)) return false;
  return below_.is_well() && (!must_be_first || unsure_ == 0);
}

// Whether it waits for nobody: what it changes is in directories that are leased to us alone.
bool Cache::is_sure(const std::vector<Note>& notes) {
  const auto is_alone = [this](const std::string& path) {
    const KnownTree::Directory* const directory = path.empty() ? nullptr : tree_.find_directory(directory_of(path));
    return directory != nullptr && directory->makes.has_value();
  };
  return std::ranges::all_of(notes, [&](const Note& note) {
    const Footprint& changes = note.changes;
    return changes.trees.empty() && !changes.is_anywhere && std::ranges::all_of(changes.files, is_alone) &&
           std::ranges::all_of(changes.names, is_alone);
  });
}

// O_PATH: nothing is asked of it but that it is there.
std::optional<Cache::Prediction> Cache::predict_path_open(const Topen& open) {
  if (!knows() || open.mode.find('p') == std::string_view::npos || open.nfid == no_fid || fids_.contains(open.nfid))
    return std::nullopt;
  if (!fids_.contains(open.fid) || !is_clean_path(open.path)) return std::nullopt;
  const std::string path = path_of(open.fid, open.path);
  const auto ours = tree_.ours(path);
  if (!ours || (open.mode.find('d') != std::string_view::npos && !S_ISDIR(ours->mode))) return std::nullopt;
  const Attributes told{.mode = ours->mode, .uid = ours->uid, .gid = ours->gid};  // the rest may be old
  const std::string packed = pack(told);
  Prediction opens{
      .answer = make_answer({opened(told, packed, iounit())}), .path = path, .made = {}, .opens = open.nfid};
  opens.file = {.path = path,
                .mode = std::string(open.mode),
                .file_mode = ours->mode,
                .is_ours = true,
                .opening = ++last_opening_,
                .attributes = told};
  return opens;
}

std::optional<Cache::Prediction> Cache::predict_named_change(const Topen& open, const Twrite& write) {
  if (!knows() || open.mode != name_mode || open.nfid == no_fid || write.fid != open.nfid) return std::nullopt;
  if (!fids_.contains(open.fid) || fids_.contains(open.nfid) || !is_clean_path(open.path)) return std::nullopt;
  const std::string path = path_of(open.fid, open.path);
  const auto ours = tree_.ours(path);
  if (!ours || !is_owners(write, *ours, false)) return std::nullopt;
  const auto size = static_cast<uint32_t>(write.dat.size());
  const Ropen named = opened({}, "", iounit());
  return Prediction{.answer = make_answer({named, Rwrite{.count = size, .offset = 0}}), .path = path};
}

// What was done is as it was told, and more is known of it. What was asked since then comes after it.
void Cache::learn_behind(const Pending& pending, const Behind& what, Answer answer) {
  const auto listing = take_listing(pending, answer);
  if (answer.replies.empty()) return;
  const auto* const create = std::get_if<Rcreate>(&answer.replies[0]);
  const auto* const read = std::get_if<Rread>(&answer.replies[0]);
  const auto written = read != nullptr ? unpack_attributes(read->dat) : fail(EPROTO);
  if (written) return made_file(pending, what, *written);
  // It was not made: nor is what was to be in it.
  for (const Note& note : pending.notes)
    if (create == nullptr && !note.changes.names.empty()) tree_.forget_tree(what.path);
  if (create == nullptr) return;
  if (what.making != 0) return made_directory(pending, what, listing);
  if (const auto attributes = unpack_attributes(create->attributes)) made_file(pending, what, *attributes);
}

void Cache::made_directory(const Pending& pending, const Behind& what, const std::optional<Message>& listing) {
  const auto* const list = listing ? std::get_if<Rlist>(&*listing) : nullptr;
  const auto listed = list != nullptr ? unpack_listing(list->dat) : fail(EPROTO);
  const bool is_it = listed && listed->size() == 1 && listed->front().path == what.path;
  const uint64_t lease = is_it ? listed->front().lease : 0;
  const bool is_held = lease != 0 && pending.epoch == below_.lease_epoch() && !given_up_.contains(lease) &&
                       std::ranges::find(early_recalls_, lease) == early_recalls_.end();
  if (listings_ == 0) early_recalls_.clear();
  const bool is_alone = is_held && listed->front().is_exclusive && listed->front().entries.empty();
  if (is_alone && tree_.adopt(what.path, what.making, lease)) return;
  tree_.unmake(what.path, what.making);
  if (is_held && !tree_.has_lease(lease)) give_back(lease, what.path, false);
}

void Cache::made_file(const Pending& pending, const Behind& what, const Attributes& attributes) {
  const auto file = fids_.find(what.fid);
  if (file != fids_.end() && file->second.path == what.path && file->second.id == 0) {
    file->second.id = attributes.id;
    file->second.attributes = attributes;
  }
  // The file may have lost its name, or have others.
  if (attributes.links == 1 && may_keep_entry(pending, what.path) && tree_.is_name_of(what.path, attributes.id))
    tree_.put_entry(what.path, attributes);
}

}  // namespace osp::pip
