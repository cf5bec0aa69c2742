// Cache: files that are read before they are asked for.
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "pip/cache/cache.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr uint32_t first_own_fid = 0xf0000000;  // those above count from 1
constexpr size_t most_files = 20;               // in a group: three messages each
constexpr size_t most_bytes = 256 * 1024;       // of their contents, in a group
constexpr size_t most_fetches = 8;              // groups on their way
constexpr size_t most_directories = 4;          // to be read after the one that is

// What programs ask every file for, though few have it.
constexpr std::array probed_names = {"security.selinux", "security.capability", "system.posix_acl_access",
                                     "system.posix_acl_default"};

}  // namespace

// Asks what a file without these attributes answers.
void Cache::probe() {
  const uint32_t named = first_own_fid;
  std::vector<Message> messages = {Topen{.fid = *root(), .nfid = named, .path = "", .mode = "n"}};
  for (const char* name : probed_names)
    messages.emplace_back(Tread{.fid = named, .offset = 0, .count = 4096, .attrs = name});
  const auto tag = below_.submit(messages, flag_each);
  if (!tag) return;
  spawn_([this, alive = alive_, below = *tag] {
    if (!*alive) return;
    const auto answer = below_.wait(below);
    if (*alive && answer) learn_probed(*answer);
  });
}

// Where there is none of them; else others may answer otherwise.
void Cache::learn_probed(const Answer& answer) {
  for (size_t i = 0; i < probed_names.size() && i + 1 < answer.replies.size(); ++i) {
    const auto* const error = std::get_if<Rerror>(&answer.replies[i + 1]);
    if (error != nullptr && (error->number == ENODATA || error->number == EOPNOTSUPP))
      plain_errors_[{uint32_t{S_IFREG}, probed_names.at(i)}] = error->number;
  }
}

// A file that is opened to be read, be it here or at the server.
void Cache::read_ahead(std::string_view path) {
  const KnownTree::Directory* const directory = tree_.find_directory(directory_of(path));
  if (directory == nullptr || !root()) return;
  const auto file = directory->entries.find(name_of(path));
  if (file == directory->entries.end()) return;
  const bool is_all = !fetch_some(*directory, ahead_.opened(*directory, file->second));
  if (!is_all || !ahead_.is_running() || directory->path.empty()) return;
  // And those that will be read after it.
  const KnownTree::Directory* const parent = tree_.find_directory(directory_of(directory->path));
  if (parent == nullptr) return;
  for (const std::string& name : ahead_.next_directories(*parent, name_of(directory->path), most_directories))
    if (const KnownTree::Directory* next = tree_.find_directory(join_paths(parent->path, name)))
      fetch_some(*next, ahead_.first_of(*next));
}

// False: there was nothing that is not on its way.
bool Cache::fetch_some(const KnownTree::Directory& directory, const std::vector<const KnownTree::Entry*>& files) {
  std::vector<std::string> batch;
  size_t size = 0;
  bool is_any = false;
  for (const KnownTree::Entry* entry : files) {
    std::string next = join_paths(directory.path, entry->entry.name);
    if (is_fetched(next) != nullptr) continue;
    if (batch.size() == most_files || size + entry->entry.attributes.size > most_bytes) {
      fetch(std::exchange(batch, {}));
      size = 0;
    }
    batch.push_back(std::move(next));
    size += entry->entry.attributes.size;
    is_any = true;
  }
  fetch(std::move(batch));
  return is_any;
}

void Cache::fetch(std::vector<std::string> paths) {
  if (paths.empty() || fetches_.size() >= most_fetches) return;
  std::vector<Message> messages;
  uint32_t fid = first_own_fid;
  for (const std::string& path : paths) {
    messages.emplace_back(Topen{.fid = *root(), .nfid = fid, .path = path, .mode = "r"});
    messages.emplace_back(
        Tread{.fid = fid, .offset = 0, .count = static_cast<uint32_t>(ReadAhead::small), .attrs = ""});
    messages.emplace_back(Tclunk{.fid = fid++});
  }
  const auto tag = below_.submit(messages, flag_each);
  if (!tag) return;
  fetches_.push_back({.below = *tag, .serial = serial_, .epoch = below_.lease_epoch(), .paths = std::move(paths)});
  in_flight_.insert(serial_);
}

Cache::Fetch* Cache::is_fetched(std::string_view path) {
  for (Fetch& fetch : fetches_)
    if (std::ranges::find(fetch.paths, path) != fetch.paths.end()) return &fetch;
  return nullptr;
}

// What has come meanwhile.
void Cache::take_fetched() {
  while (!fetches_.empty() && !fetches_.front().is_awaited && below_.is_answered(fetches_.front().below))
    await_fetch(fetches_.front());
}

// Waits for one, which nobody else does.
void Cache::await_fetch(Fetch& fetch) {
  fetch.is_awaited = true;
  const auto answer = below_.wait(fetch.below);
  const auto here = std::ranges::find(fetches_, fetch.below, &Fetch::below);
  const Fetch done = std::move(*here);
  fetches_.erase(here);
  Pending pending{.serial = done.serial, .epoch = done.epoch};
  arrived(pending);
  if (!answer || !knows()) return;
  for (size_t i = 0; i < done.paths.size() && 3 * i + 1 < answer->replies.size(); ++i) {
    const auto* const open = std::get_if<Ropen>(&answer->replies[3 * i]);
    const auto* const read = std::get_if<Rread>(&answer->replies[3 * i + 1]);
    if (open != nullptr && read != nullptr && may_keep(pending, done.paths[i]))
      learn_whole(done.paths[i], *open, read->dat);
  }
}

void Cache::learn_whole(std::string_view path, const Ropen& open, std::string_view bytes) {
  const auto attributes = unpack_attributes(open.attributes);
  const KnownTree::Found found = tree_.find(path);
  if (!attributes || found.entry == nullptr || found.attributes.id != attributes->id ||
      found.attributes.version != attributes->version || bytes.size() != attributes->size)
    return;
  if (KnownTree::Entry* const entry = tree_.find_file(attributes->id)) tree_.add_content(*entry, 0, bytes);
}

}  // namespace osp::pip
