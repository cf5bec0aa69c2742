#pragma once

#include <list>
#include <string>

#include "pip/server.h"
#include "tools/mount/fuse.h"
#include "tools/mount/inode_table.h"

namespace osp::fuse {

class Call;

// The requests that are being served.
class Calls {
 public:
  // Answers EINTR to those that wait though their process has a signal that asks for its end. A few times a second.
  void look_for_signals();
  [[nodiscard]] bool empty() const { return all_.empty(); }

 private:
  friend class Call;
  std::list<Call*> all_;
};

// One request of the kernel's, answered once: by one of the functions here, or before by EINTR; then what is done goes
// on to its end, since the server has been asked, and the answer is dropped. Each function tells whether the kernel
// took the answer. Lives on its job's stack.
class Call {
 public:
  Call(Calls& calls, fuse_req_t request);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  bool done(const Result<void>& result);
  bool fail(int code);
  bool entry(const Node& node);
  bool created(const Node& node, const fuse_file_info& file);
  bool opened(const fuse_file_info& file);
  bool attributes(const pip::Attributes& attributes);
  bool data(std::string_view bytes);
  bool size(size_t size);            // of what was written
  bool attribute_size(size_t size);  // of an extended attribute
  bool link_target(const std::string& target);
  bool file_system(const pip::FileSystemStat& stat);

  [[nodiscard]] uint32_t uid() const { return uid_; }
  [[nodiscard]] uint32_t gid() const { return gid_; }

 private:
  friend class Calls;
  bool take() { return !std::exchange(answered_, true); }

  Calls& calls_;
  std::list<Call*>::iterator place_;
  fuse_req_t request_;
  pid_t thread_;
  uint32_t uid_, gid_;
  bool interrupted_ = false;
  bool answered_ = false;
};

// As the kernel wants it. It asks again each time: what may be known without asking is the cache's to know.
struct stat to_stat(const pip::Attributes& attributes);

}  // namespace osp::fuse
