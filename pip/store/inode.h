#pragma once

#include <map>
#include <string>

#include "pip/server.h"

namespace osp::pip::store {

// What is recorded of a file, whatever its names. Numbers of files are never used again.
struct Inode {
  uint32_t mode = 0, uid = 0, gid = 0;
  uint64_t links = 0;
  uint64_t device = 0;
  int64_t atime_ns = 0, mtime_ns = 0, ctime_ns = 0;
  uint64_t size = 0;       // with the draft
  uint64_t allocated = 0;  // bytes that are no holes, with the draft; about
  uint64_t version = 1;    // grows with each change of the contents

  // The newest version: one of those that are kept.
  struct Committed {
    uint64_t version = 0;  // 0: none; the file was empty ever since
    uint64_t size = 0, allocated = 0;
    int64_t mtime_ns = 0;
  };
  Committed committed{};
  bool is_draft = false;        // there are changes since
  uint64_t draft_base_end = 0;  // of the newest version, the draft keeps only the bytes before it

  std::string target{};  // of a symbolic link
  std::map<std::string, std::string, std::less<>> attributes{};

  [[nodiscard]] Attributes describe(uint64_t id) const;
  // As it is without the draft.
  [[nodiscard]] Inode without_draft() const;
};

std::string encode(const Inode& inode);
// EBADMSG: no such record.
Result<Inode> decode_inode(std::string_view record);

// A version's record: when it was made, and its content (Content::decode).
struct Version {
  int64_t time_ns = 0;   // of the commit
  int64_t mtime_ns = 0;  // of the file then
  uint64_t size = 0, allocated = 0;
  std::string content;
};
std::string encode(const Version& version);
Result<Version> decode_version(std::string_view record);

// What a directory has under a name. The kind is the inode's, which never changes.
struct Entry {
  uint64_t id = 0;  // 0: in history, the name is gone
  uint32_t kind = 0;
};
std::string encode(const Entry& entry);
Result<Entry> decode_entry(std::string_view record);

}  // namespace osp::pip::store
