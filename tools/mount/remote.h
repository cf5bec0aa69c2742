#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "pip/cache/cache.h"
#include "pip/client.h"
#include "pip/url.h"
#include "tools/keeper_loop.h"
#include "tools/keeper_upstream.h"

namespace osp::fuse {

using Failure = pip::Cache::Failure;

// One session with the server, from its beginning to its loss. Files that were opened in it hold it.
struct Session {
  keeper::StreamUpstream* upstream = nullptr;  // the cache's
  std::unique_ptr<pip::Cache> cache;
  std::unique_ptr<pip::Client> client;
};
using SessionPtr = std::shared_ptr<Session>;

// The tree that is mounted: a directory of a server. A broken connection is made again for ever; if the server has
// forgotten the session, a new one begins, in which files that were open are not.
class Remote {
 public:
  // In a job. The error is for a person. The loop must live longer.
  static std::expected<std::unique_ptr<Remote>, std::string> create(keeper::Loop& loop, const pip::Url& url);

  [[nodiscard]] const SessionPtr& session() const { return session_; }
  [[nodiscard]] pip::Client& client() const { return *session_->client; }
  [[nodiscard]] const pip::Attributes& root() const { return root_; }
  // In a job: waits while there is none, since the server has forgotten the last one.
  void await_session();
  // A path below the mounted directory as the server has it.
  [[nodiscard]] std::string path(std::string_view below) const;
  // Called when others change what was known.
  void on_recall(std::function<void()> call) { on_recall_ = std::move(call); }
  // Whether the server has not done yet all that was answered, and of which files.
  [[nodiscard]] bool is_behind() const { return session_->cache->is_behind(); }
  [[nodiscard]] std::vector<std::string> behind() const { return session_->cache->behind(); }
  // It has been heard just now.
  [[nodiscard]] bool is_well() const { return session_->upstream->is_well(); }
  // What was answered and then failed, of a file that was closed before. Once.
  Failure take_failure();

 private:
  Remote(keeper::Loop& loop, pip::Url url) : loop_(loop), url_(std::move(url)) {}
  Result<SessionPtr> connect(std::string& why);
  Result<void> find_root();
  void tick();
  void renew();

  keeper::Loop& loop_;
  pip::Url url_;
  SessionPtr session_;
  pip::Attributes root_;
  bool renewing_ = false;
  keeper::WaitList renewed_;
  Failure failure_;  // of sessions that are lost
  std::function<void()> on_recall_ = [] {};
};

}  // namespace osp::fuse
