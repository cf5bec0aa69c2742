#include "tools/mount/remote.h"

#include <sys/stat.h>

#include "base/log.h"
#include "tools/pip_remote.h"

namespace osp::fuse {

std::expected<std::unique_ptr<Remote>, std::string> Remote::create(keeper::Loop& loop, const pip::Url& url) {
  std::unique_ptr<Remote> remote(new Remote(loop, url));
  std::string why;
  auto session = remote->connect(why);
  if (!session)
    return std::unexpected(
        fmt::format("cannot reach '{}': {}", url.server(), why.empty() ? describe(session.error()) : why));
  remote->session_ = std::move(*session);
  if (const auto found = remote->find_root(); !found)
    return std::unexpected(fmt::format("cannot mount '{}': {}", url.text(), describe(found.error())));
  loop.each_tick([raw = remote.get()] { raw->tick(); });
  return remote;
}

Result<SessionPtr> Remote::connect(std::string& why) {
  auto session = std::make_shared<Session>();
  OSP_ASSIGN(auto stream, keeper::StreamUpstream::create(loop_, url_.address, why));
  session->upstream = stream.get();
  session->cache =
      std::make_unique<pip::Cache>(std::move(stream), pip::KnownTree::Limits{},
                                   [](std::function<void()> work) { keeper::jobs().start(std::move(work)); });
  session->cache->on_recall([this] { on_recall_(); });
  OSP_ASSIGN(session->client, pip::Client::create(*session->cache, url_.server()));
  return session;
}

// Symbolic links on the way are followed now, and not looked at again.
Result<void> Remote::find_root() {
  const auto found = piptool::Remotes::follow(url_.path, [&](const std::string& path) {
    url_.path = path;
    return client().open(path, {.directory = true, .path_only = true});
  });
  if (!found) return std::unexpected(Error(found.error().code));
  root_ = found->attributes;
  return S_ISDIR(root_.mode) ? Result<void>{} : osp::fail(ENOTDIR);
}

std::string Remote::path(std::string_view below) const {
  if (url_.path.empty() || below.empty()) return url_.path + std::string(below);
  return url_.path + "/" + std::string(below);
}

Failure Remote::take_failure() {
  Failure failure = std::exchange(failure_, {});
  return failure.error != 0 ? failure : session_->cache->take_failure();
}

void Remote::await_session() {
  while (session_->upstream->is_lost()) renewed_.wait();
}

void Remote::tick() {
  if (renewing_ || !session_->upstream->is_lost()) return;
  renewing_ = true;
  keeper::jobs().start([this] {
    renew();
    renewing_ = false;
  });
}

void Remote::renew() {
  std::string why;
  auto session = connect(why);
  if (!session) return log::info("mount", "no new session with {}: {}", url_.server(), describe(session.error()));
  if (failure_.error == 0) failure_ = session_->cache->take_failure();
  session_ = std::move(*session);
  renewed_.wake_all();
  on_recall_();
  log::error("mount", "{}: the server had forgotten the session; files that were open then answer ESTALE", url_.text());
}

}  // namespace osp::fuse
