#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pip/wire.h"

// Where records are in the metadata (docs/store.md, "Keys"). Numbers are big-endian, so that keys ascend with them.
namespace osp::pip::store::key {

inline std::string numbered(char kind, uint64_t number) {
  std::string key(1, kind);
  Writer(key).u64(number);
  return key;
}
inline std::string numbered(char kind, uint64_t number, uint64_t second) {
  std::string key = numbered(kind, number);
  Writer(key).u64(second);
  return key;
}
// The number after the kind, or, with `skip` 8, the one after that.
inline uint64_t number_in(std::string_view key, size_t skip = 0) {
  return key.size() < 9 + skip ? 0 : Reader(key.substr(1 + skip)).u64();
}

// A file's record as it is now; as it was from the second `time_s` on.
inline std::string inode(uint64_t id) { return numbered('i', id); }
inline std::string inode_past(uint64_t id, uint64_t time_s) { return numbered('I', id, time_s); }
// One version.
inline std::string version(uint64_t id, uint64_t number) { return numbered('v', id, number); }
// A name in a directory now; from a second on.
inline std::string entry(uint64_t directory, std::string_view name) {
  return numbered('e', directory) + std::string(name);
}
inline std::string entry_past(uint64_t directory, std::string_view name, uint64_t time_s) {
  std::string key = numbered('E', directory) + std::string(name) + '\0';
  Writer(key).u64(time_s);
  return key;
}
// A changed run of a draft, by where it begins.
inline std::string extent(uint64_t id, uint64_t start) { return numbered('d', id, start); }
// A file that has a draft.
inline std::string draft(uint64_t id) { return numbered('D', id); }
// A file that has no name any more, but was open.
inline std::string nameless(uint64_t id) { return numbered('o', id); }
// A version some of whose chunks may not be on the disk yet.
inline std::string unsynced(uint64_t id, uint64_t number) { return numbered('u', id, number); }
// 's': what is one a store. (Chunks' places are below 'c': pack_files.cc.)
inline std::string setting(std::string_view name) { return "s" + std::string(name); }

}  // namespace osp::pip::store::key
