#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "namespace/mem_server.h"
#include "namespace/namespace.h"

namespace osp::ns::test {

// A system call with paths, and how it is made.
struct Call {
  enum Kind { stat, lstat, read_link, open, open2, make, remove, rename, link, chmod, truncate, list, kinds };
  Kind kind = stat;
  std::string base, path, other_base, other;
  int flags = 0;          // O_*, or AT_REMOVEDIR, RENAME_*, AT_SYMLINK_FOLLOW
  uint64_t resolve = 0;   // of open2
  uint32_t mode = 0;      // of make and chmod
  std::string text = {};  // target of a link, contents of a file

  [[nodiscard]] std::string describe() const;
};

std::vector<Call> random_calls(unsigned seed, size_t count);

// What a file is, in words that are the same on every file system.
std::string describe(uint32_t mode, uint64_t links, uint64_t size);

// Makes `directory` the root of this process, as root or in a user namespace of its own.
bool enter_root(const std::string& directory);
// Makes the call in this process; "ok …" or an error's name.
std::string call_kernel(const Call& call);

// The same in a name space over a memory file system.
class World {
 public:
  World();
  [[nodiscard]] std::string call(const Call& call) const;

 private:
  std::shared_ptr<MemServer> server_;
  std::shared_ptr<Namespace> space_;
};

}  // namespace osp::ns::test
