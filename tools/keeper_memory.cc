// The keeper's memory file systems (keeper_upstream.h).
#include <unistd.h>

#include "tools/keeper_upstream.h"

namespace osp::keeper {

MemoryUpstream::MemoryUpstream(std::string name)
    : files_({.name = std::move(name), .uid = geteuid(), .gid = getegid(), .mode = 0755}) {}

Result<std::unique_ptr<MemoryUpstream>> MemoryUpstream::create(std::string name) {
  std::unique_ptr<MemoryUpstream> made(new MemoryUpstream(std::move(name)));
  OSP_ASSIGN(made->server_, pip::SessionServer::create(made->files_, made->journals_, {}, 0));
  made->connection_ = made->server_->connect();
  std::string out;
  made->session_.connected(out);
  OSP_TRY(made->carry(out));
  return made;
}

// Between the two ends of the session, until both are silent.
Result<void> MemoryUpstream::carry(std::string& out) {
  while (!out.empty()) {
    std::string back;
    OSP_TRY(server_->receive(connection_, out, back, 0));
    out.clear();
    OSP_TRY(session_.receive(back, out));
  }
  while (session_.next_answered()) {
  }
  return {};
}

Result<uint64_t> MemoryUpstream::submit(const std::vector<pip::Message>& messages, uint16_t flags) {
  std::string out;
  OSP_ASSIGN(const uint64_t tag, session_.submit(messages, flags, out));
  OSP_TRY(carry(out));
  return tag;
}

Result<pip::Answer> MemoryUpstream::wait(uint64_t tag) {
  auto answer = session_.take(tag);
  if (!answer) return fail(EIO);
  return std::move(*answer);
}

}  // namespace osp::keeper
