#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pip/server.h"

namespace osp::ns {

// A memory file system as data, for a checkpoint: every file that there is, also one that is only open. Contents lie
// beside it, in one range of bytes in which each regular file has its place.
struct MemSnapshot {
  static constexpr uint64_t root = 1;          // the root's number
  static constexpr uint64_t alignment = 4096;  // of a file's place

  struct Node {
    pip::Attributes attributes{};  // links and blocks follow from the rest
    std::string target{};          // of a symbolic link
    std::map<std::string, std::string, std::less<>> extended{};
    std::map<std::string, uint64_t, std::less<>> names{};  // of a directory: what is in it, by number
    uint64_t at = 0;                                       // where the contents lie
  };

  uint32_t uid = 0, gid = 0;  // who it served
  uint64_t next_id = root + 1;
  std::vector<Node> nodes{};

  // The bytes beside it: up to the end of the last file.
  [[nodiscard]] uint64_t contents_size() const;
  // What is impossible about it; empty: nothing. load() wants that.
  [[nodiscard]] std::string fault() const;

  [[nodiscard]] std::string encode() const;
  // EBADMSG. Says nothing of fault().
  static Result<MemSnapshot> decode(std::string_view bytes);
};

}  // namespace osp::ns
