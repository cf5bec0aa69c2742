#pragma once

#include <string>

#include "pip/listing.h"
#include "pip/server_session.h"

namespace osp::pip {

// Lists directories for a session, and gives it the leases on them. Blocks as the served tree does.
class DirectoryLister {
 public:
  // `server`: the tree as the session may see it.
  // `made`: the directory that the session has just made, which is then its alone; null: none.
  DirectoryLister(Server& server, Export& tree, ServerSession& session, const std::string* made)
      : server_(server), tree_(tree), session_(session), made_(made) {}

  // The directory at `path`, then those below it to a depth (1: it alone), nearest first, as many as fit in `count`
  // bytes, packed (listing.h). EMSGSIZE: not even the first does. ENOTDIR, ENOENT, EACCES.
  Walked<std::string> list(const std::string& path, unsigned depth, size_t count);

 private:
  Walked<ListedDirectory> list_one(const std::string& path, size_t room);
  Walked<void> read_all(ListedDirectory& listed, size_t room);
  Walked<void> read_entries(ListedDirectory& listed, File& directory, size_t room);
  [[nodiscard]] bool is_plain(const std::string& path);
  uint64_t lease(const std::string& path);

  Server& server_;
  Export& tree_;
  ServerSession& session_;
  const std::string* made_;
};

}  // namespace osp::pip
