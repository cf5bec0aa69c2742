#include "pip/store/check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <set>
#include <unordered_map>

#include "pip/store/content.h"
#include "pip/store/keys.h"

namespace osp::pip::store {
namespace {

class Checker {
 public:
  explicit Checker(Store& store) : store_(store), metadata_(store.metadata()) {}

  Result<CheckResult> run(const std::function<void(uint64_t, uint64_t)>& progress) {
    OSP_TRY(read_inodes());
    OSP_TRY(read_entries());
    check_links();
    OSP_TRY(read_versions());
    OSP_TRY(read_past());
    OSP_TRY(read_drafts());
    const uint64_t total = store_.chunks().stored_bytes();
    uint64_t done = 0;
    OSP_TRY(store_.chunks().verify([this](const std::string& what) { wrong("{}", what); },
                                   [&](uint64_t bytes) { ++result_.chunks, progress(done += bytes, total); }));
    result_.bytes = done;
    return std::move(result_);
  }

 private:
  struct Seen {
    Inode inode;
    uint64_t names = 0;        // that lead to it
    uint64_t directories = 0;  // of its names, those that are directories
    bool is_nameless = false;
  };

  template <class... Args>
  void wrong(fmt::format_string<Args...> format, Args&&... args) {
    if (result_.wrong.size() < most_wrong) result_.wrong.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> read_inodes() {
    OSP_TRY(for_each(metadata_, "i", [&](auto key, auto value) -> Result<void> {
      auto inode = decode_inode(value);
      if (!inode) return wrong("the record of file {} is damaged", key::number_in(key)), Result<void>();
      ++(S_ISDIR(inode->mode) ? result_.directories : result_.files);
      seen_[key::number_in(key)].inode = std::move(*inode);
      return {};
    }));
    OSP_TRY(for_each(metadata_, "o", [&](auto key, auto) -> Result<void> {
      if (const auto found = seen_.find(key::number_in(key)); found != seen_.end()) found->second.is_nameless = true;
      return {};
    }));
    if (!seen_.contains(root_id)) wrong("the root is not there");
    return {};
  }

  Result<void> read_entries() {
    return for_each(metadata_, "e", [&](auto key, auto value) -> Result<void> {
      const uint64_t directory = key::number_in(key);
      const std::string_view name = key.substr(9);
      const auto entry = decode_entry(value);
      const auto holder = seen_.find(directory);
      if (holder == seen_.end() || !S_ISDIR(holder->second.inode.mode))
        return wrong("the name '{}' is in {}, which is no directory", name, directory), Result<void>();
      const auto found = entry ? seen_.find(entry->id) : seen_.end();
      if (found == seen_.end())
        return wrong("the name '{}' in directory {} leads nowhere", name, directory), Result<void>();
      if ((found->second.inode.mode & S_IFMT) != entry->kind)
        wrong("the name '{}' in directory {} is of another kind than its file", name, directory);
      ++found->second.names;
      if (S_ISDIR(entry->kind)) ++holder->second.directories;
      return {};
    });
  }

  void check_links() {
    for (const auto& [id, seen] : seen_) {
      const bool is_directory = S_ISDIR(seen.inode.mode);
      const uint64_t names = seen.names + (id == root_id ? 1 : 0);
      if (seen.is_nameless) {
        if (names != 0) wrong("file {} has names, and a mark that it has none", id);
        continue;
      }
      if (names == 0) wrong("file {} has no name", id);
      if (is_directory && names > 1) wrong("directory {} has {} names", id, names);
      const uint64_t links = is_directory ? 2 + seen.directories : names;
      if (seen.inode.links != links) wrong("file {} says it has {} links, but has {}", id, seen.inode.links, links);
    }
  }

  // A chunk that something needs: there, and as long as is said (0: not said).
  Result<void> need(const ChunkId& id, uint64_t length, uint64_t file, uint64_t number) {
    if (!good_.contains(id)) {
      OSP_ASSIGN(const bool has, store_.chunks().has(id));
      if (!has)
        return wrong("version {} of file {}: the chunk {} is not there", number, file, id.text()), Result<void>();
      const auto bytes = store_.chunks().get(id);
      if (!bytes)  // verify() names it
        return wrong("version {} of file {} needs the damaged chunk {}", number, file, id.text()), Result<void>();
      good_[id] = (*bytes)->size();
    }
    if (length != 0 && good_[id] != length)
      wrong("version {} of file {}: the chunk {} has another length", number, file, id.text());
    return {};
  }

  Result<void> read_version(uint64_t file, uint64_t number, std::string_view value) {
    ++result_.versions;
    const auto version = decode_version(value);
    const auto content =
        version ? Content::decode(version->content, store_.chunks()) : std::unexpected(version.error());
    if (!content) return wrong("version {} of file {}: the record is damaged", number, file), Result<void>();
    if (content->size() != version->size)
      wrong("version {} of file {} has {} bytes, not {}", number, file, content->size(), version->size);
    sizes_[file][number] = version->size;
    const auto visited = content->visit({.list = [&](const ChunkId& id) -> Result<bool> {
                                           const size_t before = result_.wrong.size();
                                           OSP_TRY(need(id, 0, file, number));
                                           return result_.wrong.size() == before && lists_.insert(id).second;
                                         },
                                         .piece = [&](const Piece& piece) -> Result<void> {
                                           if (!piece.chunk) return {};
                                           return need(*piece.chunk, piece.length, file, number);
                                         }});
    if (!visited) wrong("version {} of file {}: {}", number, file, describe(visited.error()));
    return {};
  }

  Result<void> read_versions() {
    return for_each(metadata_, "v", [&](auto key, auto value) {
      return read_version(key::number_in(key), key::number_in(key, 8), value);
    });
  }

  void check_newest(uint64_t id, const Inode& inode, std::string_view when) {
    const auto& [number, size, allocated, mtime] = inode.committed;
    if (number == 0) {
      if (size != 0) wrong("file {} {} has bytes, but no version", id, when);
      return;
    }
    const auto versions = sizes_.find(id);
    const auto found =
        versions == sizes_.end() ? std::map<uint64_t, uint64_t>::iterator() : versions->second.find(number);
    if (versions == sizes_.end() || found == versions->second.end())
      wrong("file {} {} is at version {}, which is not there", id, when, number);
    else if (found->second != size)
      wrong("file {} {} has {} bytes, and its version {} has {}", id, when, size, number, found->second);
  }

  Result<void> read_past() {
    std::set<uint64_t> known;
    OSP_TRY(for_each(metadata_, "I", [&](auto key, auto value) -> Result<void> {
      const uint64_t id = key::number_in(key);
      known.insert(id);
      const auto inode = decode_inode(value);
      if (!inode) return wrong("file {}: a record of its past is damaged", id), Result<void>();
      check_newest(id, *inode, fmt::format("as of {}", key::number_in(key, 8)));
      return {};
    }));
    OSP_TRY(for_each(metadata_, "E", [&](auto key, auto value) -> Result<void> {
      const auto entry = decode_entry(value);
      if (!entry || key.size() < 18) return wrong("a name of the past is damaged"), Result<void>();
      if (entry->id != 0 && !known.contains(entry->id))
        wrong("'{}' in directory {} led to file {}, of which nothing is known", key.substr(9, key.size() - 18),
              key::number_in(key), entry->id);
      return {};
    }));
    for (const auto& [id, seen] : seen_) {
      check_newest(id, seen.inode, "now");
      if (!known.contains(id)) wrong("file {} has no past", id);
    }
    return {};
  }

  Result<void> read_drafts() {
    std::set<uint64_t> marked;
    std::map<uint64_t, uint64_t> last_end;
    OSP_TRY(for_each(metadata_, "D", [&](auto key, auto) -> Result<void> {
      marked.insert(key::number_in(key));
      return {};
    }));
    for (const uint64_t id : marked)
      if (!seen_.contains(id) || !seen_[id].inode.is_draft) wrong("file {} has a mark of a draft, but none", id);
    for (const auto& [id, seen] : seen_)
      if (seen.inode.is_draft && !marked.contains(id)) wrong("the draft of file {} has no mark", id);
    return for_each(metadata_, "d", [&](auto key, auto value) -> Result<void> {
      const uint64_t id = key::number_in(key);
      const uint64_t start = key::number_in(key, 8);
      const uint64_t end = Reader(value).u64();
      if (!marked.contains(id)) return wrong("file {} has changes, but no draft", id), Result<void>();
      if (start >= end || end > seen_[id].inode.size || (last_end.contains(id) && start <= last_end[id]))
        wrong("the draft of file {}: the changes at {} make no sense", id, start);
      last_end[id] = end;
      if (access(store_.draft_path(id).c_str(), R_OK) != 0)
        wrong("the draft of file {}: '{}' is not there", id, store_.draft_path(id));
      return {};
    });
  }

  Store& store_;
  MetadataStore& metadata_;
  CheckResult result_;
  std::unordered_map<uint64_t, Seen> seen_;
  std::map<ChunkId, uint64_t> good_;                                  // and how long
  std::set<ChunkId> lists_;                                           // that were looked into
  std::unordered_map<uint64_t, std::map<uint64_t, uint64_t>> sizes_;  // of versions, by file and number
};

}  // namespace

Result<CheckResult> check(Store& store, const std::function<void(uint64_t done, uint64_t total)>& progress) {
  return Checker(store).run(progress);
}

}  // namespace osp::pip::store
