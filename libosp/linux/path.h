#pragma once

#include "libosp/file/names.h"
#include "libosp/linux/call.h"

namespace osp::linux {

// A path argument on its way to where it leads. Handlers ask plain() first: then the call is the host's, as
// it is. Else the name space decides.
class PathArgument {
 public:
  // `address` 0 with an fd of its own (AT_EMPTY_PATH, utimensat) counts as the empty path.
  PathArgument(const Call& call, int directory_fd, uint64_t address);

  // 0, or minus an errno (EFAULT, ENAMETOOLONG, EBADF…) of the argument itself.
  [[nodiscard]] long error() const { return error_; }
  // Whether the host may have the call untouched.
  [[nodiscard]] bool plain() const { return plain_; }
  [[nodiscard]] bool empty() const { return held_.path.empty(); }
  [[nodiscard]] ns::Request request(bool follow, uint64_t resolve = 0) const { return held_.request(follow, resolve); }
  // The absolute path as written, for the files of /proc that the core answers.
  [[nodiscard]] const std::string& text() const { return held_.path; }
  // A core's file of /proc (file/proc.h); links among them have been followed already.
  [[nodiscard]] bool is_proc() const { return proc_; }
  void follow_proc_links();
  [[nodiscard]] ns::Table table() const { return call_.process.names->table(); }

 private:
  const Call& call_;
  file::Names::Held held_;
  long error_ = 0;
  bool plain_ = false;
  bool proc_ = false;
};

// access(2) of what another server has: its mode against our ids, as the kernel would. 0 or -EACCES.
long check_access(const pip::Attributes& attributes, uint64_t wanted, bool effective);

// open(2) in the name space; the fd.
long open_path(Call& call, PathArgument& path, uint64_t flags, uint32_t mode, uint64_t resolve);

// The path on the host, of a step whose server is a directory of the host.
std::string host_path_of(const ns::Step& step);

// Where a path leads, as a path of the host; ENODEV where another server has it. For what only the host can do.
Result<std::string> host_path_of(const PathArgument& path, bool follow);

}  // namespace osp::linux
