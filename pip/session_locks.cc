// SessionServer's part about locks: what sessions are asked and told.
#include "base/log.h"
#include "pip/session_server.h"

namespace osp::pip {

// Another's locks stay while it is away; nobody waits for its answer then.
bool SessionServer::can_be_asked(uint32_t ssid) const {
  const auto found = sessions_.find(ssid);
  return found != sessions_.end() && found->second->connection != 0 &&
         now_s_ - found->second->last_heard_s <= options_.lease_term_s + 1;
}

void SessionServer::send_lock_news(const std::vector<LockTable::News>& news) {
  for (const LockTable::News& one : news) {
    const auto session = sessions_.find(one.to.ssid);
    if (session == sessions_.end()) continue;
    const auto kind = static_cast<uint8_t>(one.kind);
    if (one.is_retry) {
      send_to(*session->second, Tretry{.fid = one.to.fid, .kind = kind});
    } else {
      send_to(*session->second, Tunlock{.fid = one.to.fid, .kind = kind});
    }
  }
}

// In the journal before somebody else can have what was given back.
void SessionServer::take_kept_locks(ServerSession& session, const Runlock& r) {
  const auto record = session.state.fids.find(r.fid);
  const auto left = unpack_locks(r.dat);
  if (record == session.state.fids.end() || r.kind >= lock_kinds || !left) return;
  const LockTable::Holder holder{.ssid = session.ssid, .fid = r.fid};
  const auto kind = static_cast<LockKind>(r.kind);
  LockTable& locks = export_.locks();
  if (!locks.keep(holder, record->second.id, kind, *left)) return;
  const RangeLocks* const held = locks.held(holder, record->second.id, kind);
  record->second.locks[r.kind] = held != nullptr ? *held : RangeLocks();
  if (!session.write(record::fids({{r.fid, record->second}}))) log::warn("pip", "a journal cannot be written");
  session.compact();
  send_lock_news(locks.take_news());
}

// Of fids that may not be open any more.
void SessionServer::drop_stale_locks(ServerSession& session) {
  for (const auto& [number, fid] : session.fids) {
    FidRecord& record = session.state.fids.at(number);
    if (fid.file != nullptr || fid.is_root || record.is_name) continue;
    record.locks = {};
    export_.locks().drop({.ssid = session.ssid, .fid = number}, record.id);
  }
  send_lock_news(export_.locks().take_news());
}

}  // namespace osp::pip
