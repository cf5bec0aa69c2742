// Cache: what needs no message.
#include <sys/stat.h>

#include "pip/cache/cache.h"
#include "pip/cache/replies.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr std::string_view name_mode = "n";

bool has(std::string_view mode, char letter) { return mode.find(letter) != std::string_view::npos; }

// Opening so changes nothing and needs no right but to read.
bool only_reads(std::string_view mode) { return mode.find_first_not_of("rdp") == std::string_view::npos; }

Rerror walk_error(const KnownTree::Found& found, uint16_t index) {
  Rerror error{.number = ENOENT, .index = index};
  if (found.answer == KnownTree::Answer::not_directory) error.number = ENOTDIR;
  if (found.answer == KnownTree::Answer::link)
    error.number = ELOOP, error.consumed = static_cast<uint32_t>(found.consumed), error.target = found.target;
  return error;
}

bool is_error(const KnownTree::Found& found) {
  return found.answer != KnownTree::Answer::unknown && found.answer != KnownTree::Answer::here;
}

}  // namespace

std::optional<Answer> Cache::answer(const std::vector<Message>& messages) {
  if (messages.empty() || messages.size() > 3) return std::nullopt;
  const auto* const open = std::get_if<Topen>(&messages[0]);
  const auto* const first_read = std::get_if<Tread>(&messages[0]);
  const auto* const first_clunk = std::get_if<Tclunk>(&messages[0]);
  if (messages.size() == 1 && first_read != nullptr) return answer_read(*first_read);
  if (messages.size() == 1 && first_clunk != nullptr) return answer_clunk(*first_clunk);
  // What is no path is the server's to refuse.
  if (open == nullptr || !fids_.contains(open->fid) || !is_clean_path(open->path)) return std::nullopt;
  const auto* const read = messages.size() > 1 ? std::get_if<Tread>(&messages[1]) : nullptr;
  const auto* const clunk = messages.size() > 1 ? std::get_if<Tclunk>(&messages.back()) : nullptr;
  if (1 + (read != nullptr ? 1U : 0U) + (clunk != nullptr ? 1U : 0U) != messages.size()) return std::nullopt;
  if (open->mode == name_mode && messages.size() == 1 && open->nfid == no_fid) return answer_stat(*open);
  // A number that the server still has could not be opened there in time.
  if (open->nfid == no_fid || fids_.contains(open->nfid) || closing_.contains(open->nfid)) return std::nullopt;
  if (read != nullptr && read->fid != open->nfid) return std::nullopt;
  if (clunk != nullptr && clunk->fid != open->nfid) return std::nullopt;
  if (open->mode == name_mode)
    return read != nullptr && clunk == nullptr ? answer_attribute(*open, *read) : std::nullopt;
  if (!only_reads(open->mode) || (read != nullptr && !read->attrs.empty())) return std::nullopt;
  return answer_open(*open, read, clunk);
}

std::optional<Answer> Cache::answer_stat(const Topen& open) {
  if (!knows()) return std::nullopt;
  const std::string path = path_of(open.fid, open.path);
  const KnownTree::Found found = tree_.find(path);
  if (is_error(found)) return make_answer({walk_error(found, 0)});
  if (found.answer != KnownTree::Answer::here) return std::nullopt;
  const std::string packed = pack(found.attributes);
  return make_answer({opened(found.attributes, packed, iounit())});
}

// Empty: not known; with `error` the reply is that.
std::optional<std::string> Cache::named_attribute(const KnownTree::Found& found, std::string_view name, int& error) {
  if (name == "target" && found.entry != nullptr && S_ISLNK(found.attributes.mode) &&
      !found.entry->entry.target.empty())
    return found.entry->entry.target;
  if (name == "target" || name == "stat" || name == "statfs") return std::nullopt;
  const bool is_plain = found.entry != nullptr ? found.entry->is_plain : found.directory->is_plain;
  if (!is_plain) return std::nullopt;
  if (name == "*") return std::string();
  const auto known = plain_errors_.find({KnownTree::kind_of(found.attributes), std::string(name)});
  if (known == plain_errors_.end()) return std::nullopt;
  error = static_cast<int>(known->second);
  return std::string();
}

std::optional<Answer> Cache::answer_attribute(const Topen& open, const Tread& read) {
  if (!knows()) return std::nullopt;
  const std::string path = path_of(open.fid, open.path);
  const KnownTree::Found found = tree_.find(path);
  const Ropen named = opened({}, "", iounit());  // it looks at nothing
  if (is_error(found)) return make_answer({named, walk_error(found, 1)});
  if (found.answer != KnownTree::Answer::here) return std::nullopt;
  int error = 0;
  const auto value = named_attribute(found, read.attrs, error);
  if (!value || value->size() > read.count) return std::nullopt;
  if (error != 0) return make_answer({named, Rerror{.number = static_cast<uint32_t>(error), .index = 1}});
  return make_answer({named, Rread{.dat = *value}});
}

std::optional<Cache::OpenFile> Cache::open_here(const std::string& path, std::string_view mode,
                                                const KnownTree::Found& found) {
  OpenFile file{.path = path,
                .mode = std::string(mode),
                .id = found.attributes.id,
                .file_mode = found.attributes.mode,
                .is_here = true,
                .attributes = found.attributes};
  if (has(mode, 'p')) return file;
  if (found.directory != nullptr) {
    if (found.directory->unknown > 0) return std::nullopt;
    return file;
  }
  const ContentPtr& content = found.entry->content;
  if (!S_ISREG(file.file_mode) || content == nullptr || !content->is_whole()) return std::nullopt;
  file.content = content;
  return file;
}

std::optional<Answer> Cache::answer_open(const Topen& open, const Tread* read, const Tclunk* clunk) {
  if (!knows()) return std::nullopt;
  const std::string path = path_of(open.fid, open.path);
  KnownTree::Found found = tree_.find(path);
  if (is_error(found)) return make_answer({walk_error(found, 0)});
  if (found.answer != KnownTree::Answer::here) return std::nullopt;
  if (S_ISLNK(found.attributes.mode) && !has(open.mode, 'p')) {
    if (found.entry->entry.target.empty()) return std::nullopt;
    found.answer = KnownTree::Answer::link, found.consumed = path.size(), found.target = found.entry->entry.target;
    return make_answer({walk_error(found, 0)});
  }
  if (has(open.mode, 'd') && !S_ISDIR(found.attributes.mode))
    return make_answer({Rerror{.number = ENOTDIR, .index = 0}});
  auto file = open_here(path, open.mode, found);
  if (!file) return std::nullopt;
  const std::string packed = pack(found.attributes);
  std::vector<Message> replies = {opened(found.attributes, packed, iounit())};
  std::optional<std::string> data;
  if (read != nullptr) {
    data =
        S_ISDIR(file->file_mode) ? entries(*file, read->offset, read->count) : bytes(*file, read->offset, read->count);
    if (!data) return std::nullopt;
    replies.emplace_back(Rread{.dat = *data});
  }
  if (clunk != nullptr) {
    replies.emplace_back(Rclunk{});
  } else {
    fids_[open.nfid] = std::move(*file);
  }
  return make_answer(replies);
}

// While nothing of ours may have changed it; what others want to change opens it first.
std::optional<std::string> Cache::bytes(OpenFile& file, uint64_t offset, uint32_t count) {
  if (!S_ISREG(file.file_mode) || has(file.mode, 'p') || file.content == nullptr) return std::nullopt;
  if (file.is_orphan) return file.content->read(offset, count);
  const KnownTree::Found found = tree_.find(file.path);
  if (found.entry == nullptr || found.attributes.id != file.id || found.entry->content != file.content)
    return std::nullopt;
  return file.content->read(offset, count);
}

std::optional<std::string> Cache::entries(OpenFile& file, uint64_t offset, uint32_t count) {
  if (offset == 0) {
    const KnownTree::Directory* const directory = tree_.find_directory(file.path);
    if (directory == nullptr || directory->unknown > 0) return std::nullopt;
    file.listing.clear();
    for (const auto& [place, entry] : directory->in_order) file.listing.push_back(entry->entry);
  }
  std::string packed;
  for (uint64_t i = offset; i < file.listing.size(); ++i) {
    if (packed.size() + packed_size(file.listing[i]) > count) break;
    pack(file.listing[i], packed);
  }
  if (packed.empty() && offset < file.listing.size()) return std::nullopt;
  return packed;
}

std::optional<Attributes> Cache::attributes_of(const OpenFile& file) {
  if (file.is_orphan) return file.attributes;
  if (!knows()) return std::nullopt;
  if (file.is_here) {
    const KnownTree::Found found = tree_.find(file.path);
    if (found.answer != KnownTree::Answer::here || found.attributes.id != file.id) return std::nullopt;
    return found.attributes;
  }
  const KnownTree::Entry* const entry = S_ISREG(file.file_mode) ? tree_.find_file(file.id) : nullptr;
  return entry != nullptr ? std::optional(entry->entry.attributes) : std::nullopt;
}

std::optional<Answer> Cache::answer_read(const Tread& read) {
  const auto found = fids_.find(read.fid);
  if (found == fids_.end()) return std::nullopt;
  OpenFile& file = found->second;
  if (read.attrs == "stat") {
    const auto attributes = attributes_of(file);
    return attributes ? std::optional(make_answer({Rread{.dat = pack(*attributes)}})) : std::nullopt;
  }
  const bool goes_on = file.is_here && S_ISDIR(file.file_mode) && read.offset > 0;  // in the listing that it began
  if (!read.attrs.empty() || (!file.is_orphan && !goes_on && !knows())) return std::nullopt;
  std::optional<std::string> data;
  if (file.is_here) {
    data = S_ISDIR(file.file_mode) ? entries(file, read.offset, read.count) : bytes(file, read.offset, read.count);
  } else if (has(file.mode, 'r') && S_ISREG(file.file_mode)) {
    const KnownTree::Entry* const entry = tree_.find_file(file.id);
    if (entry != nullptr && entry->content != nullptr) data = entry->content->read(read.offset, read.count);
  }
  return data ? std::optional(make_answer({Rread{.dat = *data}})) : std::nullopt;
}

std::optional<Answer> Cache::answer_clunk(const Tclunk& clunk) {
  const auto found = fids_.find(clunk.fid);
  if (found == fids_.end() || !found->second.is_here) return std::nullopt;
  fids_.erase(found);
  return make_answer({Rclunk{}});
}

}  // namespace osp::pip
