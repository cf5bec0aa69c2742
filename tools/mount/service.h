#pragma once

#include <expected>
#include <memory>
#include <string>

#include "pip/host_walk.h"
#include "pip/url.h"
#include "tools/mount/door.h"

namespace osp::fuse {

// A mount from its beginning to its end, in the thread that calls.
class Service {
 public:
  // Connects and mounts. The error is for a person: what could not be done, why, and what to do.
  std::expected<void, std::string> start(const pip::Url& url, const std::string& directory,
                                         const Door::Options& options);
  // Serves until it is unmounted, by whomever, and the server has all that was written. SIGTERM, SIGINT and SIGHUP
  // unmount. The status to end with: 1 where the server has not got it all.
  int serve();

 private:
  std::expected<void, std::string> connect(const pip::Url& url);
  void hear_signals();
  bool is_over();

  std::string directory_;
  std::unique_ptr<keeper::Loop> loop_;
  std::unique_ptr<Remote> remote_;
  std::unique_ptr<Door> door_;
  pip::HostFd signals_;
  bool is_leaving_ = false;  // a signal has come
  int64_t closed_ms_ = 0;    // when the kernel let go
  bool has_closed_ = false;  // all that was open
};

}  // namespace osp::fuse
