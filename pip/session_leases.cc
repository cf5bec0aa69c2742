// SessionServer's part about leases: which groups wait for whom, and how leases are taken back.
#include <algorithm>

#include "base/log.h"
#include "pip/session_server.h"

namespace osp::pip {

// Whether others must answer first. Asks them.
bool SessionServer::must_wait(ServerSession& session, const Tgroup& head, const std::vector<Message>& messages) {
  const bool overtakes = (head.flags & flag_overtakes) != 0;
  const auto is_before = [&](const Deferred& group) { return group.ssid == session.ssid && group.tag < head.tag; };
  if (!overtakes && std::ranges::any_of(deferred_, is_before)) return true;
  LeaseTable& leases = export_.leases();
  if (leases.is_empty()) return false;
  const Footprint footprint = footprint_of(session, messages);
  if (footprint.is_empty()) return false;
  bool waits = false;
  for (const uint32_t holder : leases.holders_of_all(session.ssid)) waits = !is_out_of_reach(holder) || waits;
  std::set<uint64_t> asked;  // out of reach is who takes others with it
  for (const LeaseTable::Lease* lease : leases.in_the_way(session.ssid, footprint)) asked.insert(lease->number);
  for (const uint64_t number : asked) {
    LeaseTable::Lease* const lease = leases.find(number);
    if (lease == nullptr || is_out_of_reach(lease->ssid) || has_not_answered(*lease)) continue;
    recall(*lease);
    waits = true;
  }
  return waits;
}

// What it may change: what it has no right to will not happen.
Footprint SessionServer::footprint_of(const ServerSession& session, const std::vector<Message>& messages) {
  Footprint all = pip::footprint_of(messages, [&](uint32_t fid) { return session.path_of(fid); });
  const Access& access = session.access;
  all.is_anywhere = std::ranges::any_of(
      all.files, [&](const std::string& path) { return is_held(path) && export_.has_other_names(path); });
  std::erase_if(all.files, [&](const std::string& path) { return !access.may_write(path) && !is_held(path); });
  std::erase_if(all.names, [&](const std::string& path) { return !access.may_name(path); });
  std::erase_if(all.trees, [&](const std::string& path) { return !access.may_name(path); });
  return all;
}

// A session that has been silent for too long has no leases any more.
bool SessionServer::is_out_of_reach(uint32_t ssid) {
  const auto found = sessions_.find(ssid);
  if (found == sessions_.end()) return true;
  ServerSession& session = *found->second;
  if (export_.leases().of_session(ssid).empty() && !export_.leases().holds_all(ssid)) return true;
  // A second more, since its own clock began when it sent.
  if (now_s_ - session.last_heard_s <= options_.lease_term_s + 1) return false;
  log::info("pip", "a session was silent for {} s: its leases have ended", now_s_ - session.last_heard_s);
  drop_leases(session);
  return true;
}

// Nor has one that is there and does not answer.
bool SessionServer::has_not_answered(const LeaseTable::Lease& lease) {
  constexpr uint64_t terms = 3;
  if (!lease.is_recalled || now_s_ - lease.recalled_s <= terms * options_.lease_term_s) return false;
  log::warn("pip", "a session does not give a lease back: all of its leases have ended");
  if (const auto session = sessions_.find(lease.ssid); session != sessions_.end()) drop_leases(*session->second);
  return true;
}

// If it comes back over this connection it reads that they are gone, and over another it sees the new epoch.
void SessionServer::drop_leases(ServerSession& session) {
  for (const LeaseTable::Lease* lease : export_.leases().of_session(session.ssid))
    if (!lease->is_recalled) send_recall(session, lease->number);
  (void)export_.leases().drop(session.ssid);
  ++session.lease_epoch;
}

// It was told our epoch, and what it had answered on the word of a lease came before the ping.
void SessionServer::end_holds(const Connection& connection) {
  if (!connection.is_confirmed) return;
  for (const uint32_t ssid : connection.sessions) export_.leases().end_hold_all(ssid);
  retry_if_ended();
}

void SessionServer::recall(LeaseTable::Lease& lease) {
  if (std::exchange(lease.is_recalled, true)) return;
  lease.recalled_s = now_s_;
  if (const auto session = sessions_.find(lease.ssid); session != sessions_.end())
    send_recall(*session->second, lease.number);
}

// What was asked over a connection that is gone.
void SessionServer::recall_again(const ServerSession& session) {
  for (const LeaseTable::Lease* lease : export_.leases().of_session(session.ssid))
    if (lease->is_recalled) send_recall(*sessions_.at(session.ssid), lease->number);
}

void SessionServer::send_recall(ServerSession& session, uint64_t lease) { send_to(session, Trecall{.lease = lease}); }

void SessionServer::send_to(ServerSession& session, const Message& message) {
  const auto connection = connections_.find(session.connection);
  if (connection == connections_.end()) return;
  const Tgroup head{.ssid = session.csid, .tag = ++session.last_tag};
  (void)encode_group(head, {message}, connection->second.options, connection->second.msize,
                     outgoing_[connection->first]);
}

// What somebody only repeats is no answer: it will be asked again.
Result<void> SessionServer::take_answer(const Connection& connection, const Rgroup& head, const Packet& packet) {
  const auto session = sessions_.find(head.csid);
  const bool has_it = connection.sessions.contains(head.csid) && session != sessions_.end();
  if (!has_it || !connection.is_confirmed) return {};
  for (const Message& message : packet.messages) {
    if (const auto* r = std::get_if<Rrecall>(&message)) export_.leases().release(head.csid, r->lease);
    if (const auto* r = std::get_if<Runlock>(&message)) take_kept_locks(*session->second, *r);
  }
  retry_if_ended();  // before it asks for it again
  return {};
}

void SessionServer::recall_changed(const Footprint& own, uint32_t by) {
  LeaseTable& leases = export_.leases();
  if (leases.watch() == nullptr) return;
  std::vector<TreeChange> changes = leases.watch()->take();
  std::erase_if(changes,
                [](const TreeChange& change) { return change.directory.empty() && change.name == held_directory; });
  for (LeaseTable::Lease* lease : leases.changed(changes, own, by)) recall(*lease);
}

void SessionServer::look_at_changes() { recall_changed({}, 0); }

// In their order, as often as one could go on. Behind one that waits on, nothing of its session is looked at.
void SessionServer::retry_deferred() {
  std::list<Deferred> waiting;
  waiting.swap(deferred_);
  std::set<uint32_t> stuck;
  for (Deferred& group : waiting) {
    const auto connection = connections_.find(group.connection);
    if (connection == connections_.end()) continue;
    if (!group.overtakes && stuck.contains(group.ssid)) {
      deferred_.push_back(std::move(group));
      continue;
    }
    auto packet = decode_body(group.body, connection->second.options, options_.nmsgs);
    if (!packet) continue;  // it could be decoded before
    std::string answer;
    std::get<Tgroup>(packet->head).ssid = group.ssid;  // not the connection's latest of now
    if (!run_group(group.connection, connection->second, group.body, *packet, answer))
      log::warn("pip", "a group that waited cannot be run any more");
    if (!answer.empty()) outgoing_[group.connection] += answer;
    if (!deferred_.empty() && deferred_.back().ssid == group.ssid && !deferred_.back().overtakes)
      stuck.insert(group.ssid);
  }
}

void SessionServer::retry_if_ended() {
  if (std::exchange(ended_seen_, export_.leases().ended()) != export_.leases().ended()) retry_deferred();
}

// A new connection sends them again.
void SessionServer::forget_deferred(uint32_t ssid, uint64_t but_of) {
  std::erase_if(deferred_, [&](const Deferred& group) { return group.ssid == ssid && group.connection != but_of; });
}

bool SessionServer::has_room_to_wait(const Deferred& group) const {
  size_t groups = 0, own = 0, all = 0;
  for (const Deferred& one : deferred_) {
    const bool is_own = one.ssid == group.ssid && one.connection == group.connection;
    groups += is_own ? 1 : 0;
    own += is_own ? one.body.size() : 0;
    all += one.body.size();
  }
  return groups < options_.window && own < options_.most_deferred && all < most_deferred_of_all;
}

std::vector<uint64_t> SessionServer::connections_with_output() const {
  std::vector<uint64_t> ids;
  ids.reserve(outgoing_.size());
  for (const auto& [id, bytes] : outgoing_) ids.push_back(id);
  return ids;
}

void SessionServer::take_output(uint64_t connection, std::string& out) {
  const auto found = outgoing_.find(connection);
  if (found == outgoing_.end()) return;
  out += found->second;
  outgoing_.erase(found);
}

}  // namespace osp::pip
