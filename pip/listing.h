#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pip/server.h"

// What Rlist carries: directories with all that a client may then know without asking (docs/pip.md, "Leases").
namespace osp::pip {

struct ListedEntry {
  DirectoryEntry entry;
  bool is_plain = false;  // it has no attributes by name
};

struct ListedDirectory {
  std::string path;           // whole, from the root
  uint64_t lease = 0;         // 0: none was given
  bool is_plain = false;      // it has no attributes by name
  bool is_exclusive = false;  // nobody else has a lease, nor will be given one beside it
  Attributes attributes{};    // its own
  std::vector<ListedEntry> entries{};
};

// Appends one.
void pack(const ListedDirectory& directory, std::string& out);
// EBADMSG.
Result<std::vector<ListedDirectory>> unpack_listing(std::string_view packed);

}  // namespace osp::pip
