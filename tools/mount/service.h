#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <string>

#include "pip/host_walk.h"
#include "pip/url.h"
#include "tools/mount/door.h"
#include "tools/mount/end_report.h"

namespace osp::fuse {

// A mount from its beginning to its end, in the thread that calls.
class Service {
 public:
  // The longest that serve() goes on when the kernel has let go.
  static constexpr int64_t most_patience_ms = 600'000;

  // Connects and mounts. The error is for a person: what could not be done, why, and what to do.
  std::expected<void, std::string> start(const pip::Url& url, const std::string& directory,
                                         const Door::Options& options);
  // Serves until it is unmounted, by whomever, and the server has all that was written. SIGTERM, SIGINT and SIGHUP
  // unmount. The status to end with: 1 where the server has not got it all, which is logged, and told to who unmounts.
  int serve();

 private:
  std::expected<void, std::string> begin(const pip::Url& url, const std::string& directory,
                                         const Door::Options& options);
  [[nodiscard]] bool has_signal() const;
  std::expected<void, std::string> connect(const pip::Url& url);
  void hear_signals();
  bool is_over();
  [[nodiscard]] bool is_all_done() const;
  std::string lost();

  std::string directory_;
  std::unique_ptr<keeper::Loop> loop_;
  std::unique_ptr<Remote> remote_;
  std::unique_ptr<Door> door_;
  std::unique_ptr<EndReport> report_;
  pip::HostFd signals_;
  int mount_id_ = 0;
  // A signal has come, and it is being unmounted; that may fail.
  std::shared_ptr<std::atomic<bool>> is_leaving_ = std::make_shared<std::atomic<bool>>(false);
  int64_t closed_ms_ = 0;    // when the kernel let go
  int64_t well_ms_ = 0;      // when the server was last heard since
  bool has_closed_ = false;  // all that was open
};

}  // namespace osp::fuse
