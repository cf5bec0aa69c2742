#pragma once

#include <map>
#include <memory>
#include <string>

#include "libosp/file/lock_table.h"
#include "libosp/task/wait_queue.h"

namespace osp::file {

class Description;
class Files;

// Which file an open file is, among all that the core has open.
struct FileIdentity {
  std::string server;
  uint64_t id = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

// The locks of one file, and who waits for them to change.
struct FileLocks {
  LockTable table;
  task::WaitQueue changed;
};

// All locks of the processes in the core: for the native host. Hosted, locks are the host's.
class Locks {
 public:
  // Of one file; made where there are none.
  std::shared_ptr<FileLocks> of(const FileIdentity& identity);
  LockWaits& waits() { return waits_; }
  // A process has closed an fd of the file: its range locks there are gone (fcntl(2)).
  void fd_closed(const Files& files, Description& file);
  // The last fd is closed: so are the locks that the open file itself has.
  void description_closed(const Description& file);

 private:
  void drop_empty();

  std::map<FileIdentity, std::shared_ptr<FileLocks>> files_;
  LockWaits waits_;
};

Locks& locks();

}  // namespace osp::file
