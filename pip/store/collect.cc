#include "pip/store/collect.h"

#include <set>
#include <unordered_map>
#include <unordered_set>

#include "pip/store/content.h"
#include "pip/store/keys.h"

namespace osp::pip::store {
namespace {

constexpr size_t at_once = 4096;  // changes

class Collector {
 public:
  Collector(Store& store, const Retention& retention)
      : store_(store),
        metadata_(store.metadata()),
        retention_(retention),
        now_s_(static_cast<uint64_t>(store.now_ns() / 1'000'000'000)) {}

  Result<Collected> run() {
    if (!retention_.keeps_all()) {
      // Names first: what they led to must be there as long as they are.
      OSP_TRY(drop_states('E'));
      OSP_TRY(note_kept_names());
      OSP_TRY(drop_states('I'));
      OSP_TRY(note_kept_versions());
      OSP_TRY(drop_versions());
      OSP_TRY(flush(0));
      OSP_TRY(store_.sync());
    }
    OSP_TRY(mark());
    OSP_ASSIGN(const auto swept, store_.chunks().sweep([this](const ChunkId& id) { return wanted_.contains(id); }));
    OSP_TRY(store_.sync());
    result_.chunks = swept.chunks, result_.bytes = swept.bytes;
    return result_;
  }

 private:
  Result<void> flush(size_t above) {
    if (batch_.changes().size() <= above) return {};
    return store_.write(std::exchange(batch_, {}));
  }

  // Whether a state of the past is kept by itself; those of files that no kept name leads to are not.
  bool keeps(char kind, std::string_view key, std::string_view value, uint64_t from_s, uint64_t until_s) {
    if (kind == 'E') {
      const auto entry = decode_entry(value);
      // That a name was gone need only be known where it was there before; its being the first, nobody needs it.
      return entry && (entry->id != 0 || had_before_) && retention_.keeps(from_s, until_s, now_s_);
    }
    const uint64_t id = key::number_in(key);
    if (!named_.contains(id)) return false;
    return retention_.keeps(from_s, until_s, now_s_);
  }

  // Each state ends where the next of the same name or file begins.
  Result<void> drop_states(char kind) {
    std::string before;
    std::string value_before;
    had_before_ = false;
    const auto decide = [&](uint64_t until_s) -> Result<void> {
      if (before.empty()) return {};
      const uint64_t from_s = Reader(std::string_view(before).substr(before.size() - 8)).u64();
      if (keeps(kind, before, value_before, from_s, until_s)) {
        had_before_ = true;
        return {};
      }
      batch_.erase(before);
      ++result_.records;
      return flush(at_once);
    };
    const auto same = [](std::string_view one, std::string_view other) {
      return one.substr(0, one.size() - 8) == other.substr(0, other.size() - 8);
    };
    const auto each = [&](std::string_view key, std::string_view value) -> Result<void> {
      if (key.size() < 17) return fail(EBADMSG);
      const bool is_next = !before.empty() && before.size() == key.size() && same(before, key);
      OSP_TRY(decide(is_next ? Reader(key.substr(key.size() - 8)).u64() : UINT64_MAX));
      if (!is_next) had_before_ = false;
      before = key, value_before = value;
      return {};
    };
    OSP_TRY(for_each(metadata_, std::string(1, kind), each));
    OSP_TRY(decide(UINT64_MAX));
    return flush(0);
  }

  // Files that a name leads to, now or in what is kept of the past; and those that are open without one.
  Result<void> note_kept_names() {
    named_.insert(root_id);
    const auto note = [&](auto, auto value) -> Result<void> {
      OSP_ASSIGN(const Entry entry, decode_entry(value));
      named_.insert(entry.id);
      return {};
    };
    OSP_TRY(for_each(metadata_, "E", note));
    OSP_TRY(for_each(metadata_, "e", note));
    return for_each(metadata_, "i", [&](auto key, auto) -> Result<void> {
      named_.insert(key::number_in(key));
      return {};
    });
  }

  Result<void> note_kept_versions() {
    const auto note = [&](auto key, auto value) -> Result<void> {
      OSP_ASSIGN(const Inode inode, decode_inode(value));
      if (inode.committed.version != 0) kept_[key::number_in(key)].insert(inode.committed.version);
      return {};
    };
    OSP_TRY(for_each(metadata_, "I", note));
    return for_each(metadata_, "i", [&](auto key, auto value) -> Result<void> {
      living_.insert(key::number_in(key));
      return note(key, value);
    });
  }

  Result<void> drop_versions_of(uint64_t id, const std::vector<uint64_t>& numbers) {
    const size_t newest = living_.contains(id) ? retention_.least_versions() : 0;
    for (size_t i = 0; i + newest < numbers.size(); ++i) {
      if (kept_[id].contains(numbers[i])) continue;
      batch_.erase(key::version(id, numbers[i]));
      batch_.erase(key::unsynced(id, numbers[i]));
      ++result_.versions;
    }
    return flush(at_once);
  }

  Result<void> drop_versions() {
    uint64_t id = 0;
    std::vector<uint64_t> numbers;
    const auto each = [&](std::string_view key, std::string_view) -> Result<void> {
      if (key::number_in(key) != id) OSP_TRY(drop_versions_of(id, std::exchange(numbers, {})));
      id = key::number_in(key);
      numbers.push_back(key::number_in(key, 8));
      return {};
    };
    OSP_TRY(for_each(metadata_, "v", each));
    return drop_versions_of(id, numbers);
  }

  Result<void> mark() {
    return for_each(metadata_, "v", [&](auto, auto value) -> Result<void> {
      OSP_ASSIGN(const Version version, decode_version(value));
      OSP_ASSIGN(const Content content, Content::decode(version.content, store_.chunks()));
      return content.visit({.list = [&](const ChunkId& list) -> Result<bool> {
                              wanted_.insert(list);
                              return lists_.insert(list).second;
                            },
                            .piece = [&](const Piece& piece) -> Result<void> {
                              if (piece.chunk) wanted_.insert(*piece.chunk);
                              return {};
                            }});
    });
  }

  Store& store_;
  MetadataStore& metadata_;
  const Retention& retention_;
  uint64_t now_s_;
  Collected result_;
  Batch batch_;
  bool had_before_ = false;  // an earlier state of this name is kept
  std::unordered_set<uint64_t> named_;
  std::unordered_set<uint64_t> living_;
  std::unordered_map<uint64_t, std::set<uint64_t>> kept_;  // versions, by file
  std::set<ChunkId> wanted_;
  std::set<ChunkId> lists_;  // of these, what was looked into: one may have the same bytes as a piece of data
};

}  // namespace

Result<Collected> collect(Store& store, const Retention& retention) { return Collector(store, retention).run(); }

}  // namespace osp::pip::store
