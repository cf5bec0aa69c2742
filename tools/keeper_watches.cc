#include "tools/keeper_watches.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "pip/access.h"
#include "pip/packing.h"

namespace osp::keeper {
namespace {

using namespace pip;

constexpr int64_t pause_ms = 20;   // between two looks
constexpr int64_t poll_ms = 2000;  // without a word of change: a server need not give leases
constexpr uint32_t listing_size = 256 * 1024;
constexpr size_t most_entries = 100'000;  // of a directory

// Where files cost no disk; else anywhere.
std::string make_base() {
  for (const std::string where : {"/dev/shm", "/tmp", "/var/tmp"}) {
    std::string name = where + "/osp-watch-XXXXXX";
    if (mkdtemp(name.data()) != nullptr && chmod(name.c_str(), 0711) == 0) return name;
  }
  return {};
}

}  // namespace

TreeWatches::~TreeWatches() {
  *alive_ = false;
  std::error_code ignored;
  if (!base_.empty()) std::filesystem::remove_all(base_, ignored);
}

Result<void> TreeWatches::attach() {
  if (root_ != nullptr) return {};
  auto root = std::make_shared<Fid>(tree_);
  OSP_ASSIGN(const Answer answer,
             tree_.channel->exchange({Tattach{.fid = root->number, .afid = no_fid, .uname = "", .aname = ""}}));
  OSP_TRY(check_answer(answer, 1));
  root->is_open = true;
  if (root_ == nullptr) root_ = std::move(root);  // or another job's, which was faster
  return {};
}

Result<Attributes> TreeWatches::look(std::string_view path) {
  OSP_ASSIGN(const Answer answer,
             tree_.channel->exchange({Topen{.fid = root_->number, .nfid = no_fid, .path = path, .mode = "n"}}));
  OSP_TRY(check_answer(answer, 1));
  const auto* const open = std::get_if<Ropen>(&answer.replies[0]);
  return open != nullptr ? unpack_attributes(open->attributes) : fail(EPROTO);
}

Result<std::vector<DirectoryEntry>> TreeWatches::entries(const Fid& fid) {
  std::vector<DirectoryEntry> all;
  const uint32_t count = std::min(listing_size, tree_.channel->iounit());
  while (true) {
    OSP_ASSIGN(const Answer answer,
               tree_.channel->exchange({Tread{.fid = fid.number, .offset = all.size(), .count = count, .attrs = ""}}));
    OSP_TRY(check_answer(answer, 1));
    const auto* const read = std::get_if<Rread>(&answer.replies[0]);
    if (read == nullptr) return fail(EPROTO);
    if (read->dat.empty()) return all;
    OSP_ASSIGN(auto some, unpack_entries(read->dat));
    if (all.size() + some.size() > most_entries) return fail(ENOSPC);
    std::ranges::move(some, std::back_inserter(all));
  }
}

Result<TreeWatches::Listing> TreeWatches::list(const std::string& directory) {
  Listing listing;
  const auto fid = std::make_shared<Fid>(tree_);
  OSP_ASSIGN(
      const Answer answer,
      tree_.channel->exchange({Topen{.fid = root_->number, .nfid = fid->number, .path = directory, .mode = "rd"}}));
  OSP_TRY(check_answer(answer, 1));
  fid->is_open = true;
  const auto* const open = std::get_if<Ropen>(&answer.replies[0]);
  if (open == nullptr) return fail(EPROTO);
  OSP_ASSIGN(listing.attributes, unpack_attributes(open->attributes));
  OSP_ASSIGN(listing.entries, entries(*fid));
  return listing;
}

Result<std::string> TreeWatches::watch(std::string_view path) {
  OSP_TRY(attach());
  OSP_ASSIGN(const Attributes file, look(path));
  if (S_ISDIR(file.mode)) return shadow_of(std::string(path));
  const std::string directory(directory_of(path)), name(name_of(path));
  OSP_ASSIGN(const std::string shadow, shadow_of(directory));
  if (const auto found = watched_.find(directory); found != watched_.end() && !found->second.shadow.has(name))
    refresh(directory);  // it was made just now
  return shadow + "/" + name;
}

Result<std::string> TreeWatches::shadow_of(const std::string& directory) {
  if (const auto found = watched_.find(directory); found != watched_.end()) return found->second.shadow.path();
  if (watched_.size() >= most) return fail(ENOSPC);
  OSP_ASSIGN(Listing listing, list(directory));
  if (const auto found = watched_.find(directory); found != watched_.end()) return found->second.shadow.path();
  if (base_.empty()) base_ = make_base();
  if (base_.empty()) return fail(ENOSPC);
  OSP_ASSIGN(ShadowDirectory shadow,
             ShadowDirectory::create(base_ + "/" + std::to_string(++made_), std::move(listing.entries)));
  const auto [made, is_new] =
      watched_.try_emplace(directory, Watched{.shadow = std::move(shadow), .attributes = listing.attributes});
  return made->second.shadow.path();
}

// At once, but not again and again.
void TreeWatches::changed() {
  is_stale_ = true;
  if (watched_.empty() || is_refreshing_ || now_ms() - refreshed_ms_ < pause_ms) return;
  is_refreshing_ = true;
  start_job_([this, alive = alive_] {
    if (*alive) refresh();
  });
}

void TreeWatches::tick() {
  if (is_stale_ || now_ms() - refreshed_ms_ >= poll_ms) changed();
}

void TreeWatches::refresh() {
  is_stale_ = false;
  std::vector<std::string> all;
  for (const auto& [directory, watched] : watched_) all.push_back(directory);
  for (const std::string& directory : all) refresh(directory);
  refreshed_ms_ = now_ms();
  is_refreshing_ = false;
  if (is_stale_) changed();  // unless that was too soon
}

void TreeWatches::refresh(const std::string& directory) {
  auto listing = list(directory);
  const auto found = watched_.find(directory);
  if (found == watched_.end()) return;
  const int code = listing ? 0 : listing.error().code;
  const bool is_another = listing && listing->attributes.id != found->second.attributes.id;
  if (!listing || is_another) {
    if (!is_another && code != ENOENT && code != ENOTDIR && code != ELOOP) return;  // not now
    found->second.shadow.remove();
    watched_.erase(found);
    return;
  }
  const Attributes before = std::exchange(found->second.attributes, listing->attributes);
  if (before.mode != listing->attributes.mode || before.uid != listing->attributes.uid ||
      before.gid != listing->attributes.gid)
    found->second.shadow.touch();
  found->second.shadow.become(std::move(listing->entries));
}

}  // namespace osp::keeper
