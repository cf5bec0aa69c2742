#include "pip/session_server.h"

#include <algorithm>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "pip/group_runner.h"

namespace osp::pip {
namespace {

constexpr size_t token_size = 16;

Result<std::string> random_token() {
  std::string token(token_size, '\0');
  OSP_ASSIGN(const size_t size, from_raw<size_t>(raw::syscall(SYS_getrandom, token.data(), token.size(), 0)));
  return size == token_size ? Result<std::string>(token) : fail(EIO);
}

void append_body(std::string_view body, std::string& out) {
  Writer(out).u32(static_cast<uint32_t>(body.size()));
  out += body;
}

// An error outside a group: it is the last thing that the connection carries.
Result<void> refuse_connection(int code, OptionSet options, std::string& out) {
  (void)encode_packet(Rerror{.ename = describe(Error(code)), .number = static_cast<uint32_t>(code)}, options,
                      default_msize, out);
  return fail(code);
}

}  // namespace

Result<std::unique_ptr<SessionServer>> SessionServer::create(Server& server, JournalStore& journals, Options options,
                                                             uint64_t now_s) {
  std::unique_ptr<SessionServer> made(new SessionServer(server, journals, options));
  OSP_TRY(made->load(now_s));
  return made;
}

Result<void> SessionServer::load(uint64_t now_s) {
  now_s_ = now_s;
  OSP_ASSIGN(const std::string random, random_token());
  first_epoch_ = Reader(random).u64() | 1;
  export_.leases().begin_at(first_epoch_ >> 2);  // not those of the run before
  OSP_ASSIGN(auto journals, journals_.load());
  for (LoadedJournal& loaded : journals) {
    auto session = std::make_unique<ServerSession>();
    session->state.token = loaded.token;
    session->journal = std::move(loaded.journal);
    session->ssid = ++last_ssid_;
    session->last_seen_s = session->last_heard_s = now_s;
    session->lease_epoch = first_epoch_;
    session->restrict_to(export_.server(), Access());  // until its owner has come
    for (const std::string& bytes : loaded.records)
      if (!record::apply(bytes, session->state)) log::warn("pip", "a record of a session's journal makes no sense");
    by_token_[session->state.token] = session->ssid;
    ++owned_[session->state.owner];
    export_.add(*session);
    if (session->state.has_leases) export_.leases().hold_all(session->ssid);
    sessions_[session->ssid] = std::move(session);
  }
  // First what was in flight, since fids follow renamed and removed files.
  for (auto& [ssid, session] : sessions_) resolve(*session);
  export_.sweep();
  for (auto& [ssid, session] : sessions_) restore_fids(*session);
  return {};
}

void SessionServer::resolve(ServerSession& session) {
  if (!session.state.intent) return;
  const Intent intent = std::move(*session.state.intent);
  session.state.intent.reset();
  for (const auto& [number, record] : session.state.fids) session.fids[number].durable = true;  // for renamed()
  const auto did = happened(export_.server(), intent);
  const bool did_happen = did && *did;
  if (!did) log::warn("pip", "cannot tell whether a request took effect: {}", describe(did.error()));
  if (did_happen && intent.effect == Intent::Effect::rename) {
    constexpr uint32_t rename_exchange = 2;
    export_.renamed(intent.path, intent.second, (intent.flags & rename_exchange) != 0);
  }
  if (!session.write(record::resolved(intent, did_happen))) log::warn("pip", "a journal cannot be written");
  if (did_happen) session.state.resolved = intent;
}

void SessionServer::restore_fids(ServerSession& session) {
  for (const auto& [number, record] : session.state.fids) {
    OpenFid& fid = session.fids[number];
    fid.durable = true;
    export_.opened(record);
    for (const LockKind kind : {LockKind::range, LockKind::whole})
      export_.locks().restore({.ssid = session.ssid, .fid = number}, record.id, kind,
                              record.locks[static_cast<size_t>(kind)]);
    fid.is_root = record.path.empty() && record.mode.path_only;
    fid.is_directory = fid.is_root;
    if (record.is_name || fid.is_root) continue;
    if (const auto opened = reopen(export_.server(), record, fid); !opened)
      log::warn("pip", "'{}' cannot be opened again: {}", record.path, describe(opened.error()));
  }
}

uint64_t SessionServer::connect(Peer peer, bool is_confirmed) {
  const auto made = connections_.emplace(++last_connection_, Connection(options_.msize, std::move(peer)));
  made.first->second.is_confirmed = is_confirmed;
  return last_connection_;
}

void SessionServer::restrict_to(uint64_t id, const Access& access) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  found->second.peer.access = access;
  for (const uint32_t ssid : found->second.sessions)
    if (const auto session = sessions_.find(ssid); session != sessions_.end() && session->second->connection == id) {
      if (session->second->access != access)
        for (LeaseTable::Lease* lease : export_.leases().of_session(ssid)) recall(*lease);
      session->second->restrict_to(export_.server(), access);
      drop_stale_locks(*session->second);
    }
}

Result<void> SessionServer::receive(uint64_t id, std::string_view bytes, std::string& out, uint64_t now_s) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return fail(ENOTCONN);
  Connection& connection = found->second;
  now_s_ = std::max(now_s_, now_s);
  take_output(id, out);  // what was asked before comes before what is answered
  for (const uint32_t ssid : connection.sessions)
    if (const auto session = sessions_.find(ssid); session != sessions_.end() && session->second->connection == id)
      session->second->last_heard_s = now_s_;
  connection.frames.feed(bytes);
  const auto taken = take_all(id, connection, out);
  retry_if_ended();
  return taken;
}

Result<void> SessionServer::take_all(uint64_t id, Connection& connection, std::string& out) {
  while (true) {
    if (connection.waits) return {};
    const auto body = connection.frames.next();
    if (!body) return refuse_connection(body.error().code, connection.options, out);
    if (body->empty()) return {};
    const auto packet = decode_body(*body, connection.options, options_.nmsgs);
    if (!packet) return refuse_connection(packet.error().code, connection.options, out);
    if (log::enabled("pip", log::Level::trace)) log::write("pip", log::Level::trace, print(*packet));
    OSP_TRY(take(id, connection, *body, *packet, out));
  }
}

Result<void> SessionServer::take(uint64_t id, Connection& connection, std::string_view body, const Packet& packet,
                                 std::string& out) {
  if (const auto* t = std::get_if<Tproto>(&packet.head)) return agree(connection, *t, out);
  if (const auto* t = std::get_if<Tping>(&packet.head)) {
    end_holds(connection);
    return encode_packet(Rping{.dat = t->dat}, connection.options, connection.msize, out);
  }
  if (!connection.agreed) return refuse_connection(EPROTO, connection.options, out);
  if (const auto* t = std::get_if<Tsession>(&packet.head)) return open_session(id, connection, *t, out);
  if (std::holds_alternative<Tgroup>(packet.head)) return run_group(id, connection, body, packet, out);
  if (const auto* r = std::get_if<Rgroup>(&packet.head)) return take_answer(connection, *r, packet);
  return refuse_connection(EPROTO, connection.options, out);
}

Result<void> SessionServer::agree(Connection& connection, const Tproto& t, std::string& out) {
  const auto wanted = parse_options(t.options);
  if (connection.agreed || !wanted || t.msize < least_msize)
    return refuse_connection(EPROTONOSUPPORT, connection.options, out);
  connection.options = *wanted;
  connection.msize = std::min(t.msize, options_.msize);
  connection.frames.limit(connection.msize);
  connection.agreed = true;
  const std::string text = option_text(*wanted);
  const Rproto answer{.msize = connection.msize, .nmsgs = std::min(t.nmsgs, options_.nmsgs), .options = text};
  return encode_packet(answer, connection.options, connection.msize, out);
}

Result<void> SessionServer::open_session(uint64_t id, Connection& connection, const Tsession& t, std::string& out) {
  Wanted wanted{.ssid = 0, .csid = t.csid, .linger_s = connection.options.has(Option::resume) ? t.linger : 0};
  connection.latest = 0;
  const bool is_new = t.token.empty();
  if (is_new && !connection.is_confirmed) return connection.wanted.push_back(wanted), wait(connection);
  auto opened = is_new ? new_session(connection.peer) : resume_session(connection, t);
  if (!opened) return refuse_session(connection, opened.error(), out);
  ServerSession& session = **opened;
  wanted.ssid = connection.latest = session.ssid;
  connection.sessions.insert(session.ssid);
  if (connection.is_confirmed) {
    take_over(id, connection, wanted);
    return tell_session(connection, session, out);
  }
  connection.wanted.push_back(wanted);
  // What the peer may do now is not what the session's groups would run with.
  if (session.access != connection.peer.access) return wait(connection);
  connection.wanted.back().told_epoch = session.lease_epoch;
  return tell_session(connection, session, out);
}

Result<void> SessionServer::wait(Connection& connection) {
  connection.waits = true;
  return {};
}

// A token that is not known ends this session for the client, but not its connection.
Result<void> SessionServer::refuse_session(const Connection& connection, Error why, std::string& out) {
  const Rerror answer{.ename = describe(why), .number = static_cast<uint32_t>(why.code)};
  return encode_packet(answer, connection.options, connection.msize, out);
}

// The newest connection has the session.
void SessionServer::take_over(uint64_t id, Connection& connection, const Wanted& wanted) {
  const auto found = sessions_.find(wanted.ssid);
  if (found == sessions_.end()) return;
  ServerSession& session = *found->second;
  if (const auto old = connections_.find(session.connection); old != connections_.end() && old->first != id)
    old->second.sessions.erase(session.ssid);
  session.connection = id;
  session.last_heard_s = now_s_;
  forget_deferred(session.ssid, id);  // those are this one's
  if (session.access != connection.peer.access)
    for (LeaseTable::Lease* lease : export_.leases().of_session(session.ssid)) recall(*lease);
  session.restrict_to(export_.server(), connection.peer.access);
  session.csid = wanted.csid;
  session.state.linger_s = std::min(wanted.linger_s, options_.most_linger_s);
  if (!session.write(record::session(session.state))) log::warn("pip", "a journal cannot be written");
  recall_again(session);
  if (!session.access.is_everything()) drop_stale_locks(session);
  send_lock_news(export_.locks().unanswered(session.ssid));
}

Result<void> SessionServer::tell_session(Connection& connection, const ServerSession& session, std::string& out) {
  const Rsession answer{.ssid = session.ssid,
                        .token = session.state.token,
                        .linger = session.state.linger_s,
                        .window = options_.window,
                        .epoch = session.lease_epoch,
                        .term = options_.lease_term_s};
  return encode_packet(answer, connection.options, connection.msize, out);
}

Result<void> SessionServer::confirm(uint64_t id, std::string& out) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return fail(ENOTCONN);
  Connection& connection = found->second;
  if (std::exchange(connection.is_confirmed, true)) return {};
  for (const Wanted& wanted : std::exchange(connection.wanted, {})) OSP_TRY(grant(id, connection, wanted, out));
  connection.waits = false;
  return take_all(id, connection, out);
}

// What waited until the connection was confirmed.
Result<void> SessionServer::grant(uint64_t id, Connection& connection, Wanted wanted, std::string& out) {
  if (wanted.ssid == 0) {
    const auto made = new_session(connection.peer);
    if (!made) return refuse_session(connection, made.error(), out);
    wanted.ssid = connection.latest = (*made)->ssid;
    connection.sessions.insert(wanted.ssid);
  }
  take_over(id, connection, wanted);
  const auto session = sessions_.find(wanted.ssid);
  if (session == sessions_.end()) return refuse_session(connection, Error(ESTALE), out);  // it has ended meanwhile
  const bool is_told = wanted.told_epoch == session->second->lease_epoch;
  return is_told ? Result<void>{} : tell_session(connection, *session->second, out);
}

Result<ServerSession*> SessionServer::new_session(const Peer& owner) {
  if (sessions_.size() >= options_.most_sessions) return fail(EAGAIN);
  const size_t owned = owned_[owner.owner];
  if (owned >= options_.most_sessions - options_.most_sessions / 8) return fail(EAGAIN);  // some are left for others
  auto session = std::make_unique<ServerSession>();
  OSP_ASSIGN(session->state.token, random_token());
  session->state.owner = owner.owner;
  OSP_ASSIGN(session->journal, journals_.create(session->state.token));
  session->ssid = ++last_ssid_;
  session->lease_epoch = first_epoch_;
  session->last_heard_s = now_s_;
  ServerSession* const made = session.get();
  by_token_[made->state.token] = made->ssid;
  export_.add(*made);
  ++owned_[owner.owner];
  sessions_[made->ssid] = std::move(session);
  return made;
}

// Another's session is as one that is not there.
Result<ServerSession*> SessionServer::resume_session(const Connection& connection, const Tsession& t) {
  const auto found = by_token_.find(t.token);
  if (found == by_token_.end()) return fail(ESTALE);
  ServerSession* const session = sessions_[found->second].get();
  return session->state.owner == connection.peer.owner ? Result<ServerSession*>(session) : fail(ESTALE);
}

Result<void> SessionServer::run_group(uint64_t id, Connection& connection, std::string_view body, const Packet& packet,
                                      std::string& out) {
  const auto& head = std::get<Tgroup>(packet.head);
  const uint32_t ssid = head.ssid != latest_session ? head.ssid : connection.latest;
  if (ssid == 0) return {};  // sent along with a Tsession that was refused
  const auto found = sessions_.find(ssid);
  if (!connection.sessions.contains(ssid) || found == sessions_.end())
    return refuse_connection(EPROTO, connection.options, out);
  ServerSession& session = *found->second;
  SessionState& state = session.state;
  state.acknowledge(std::min(head.acked, head.tag == 0 ? 0 : head.tag - 1));
  if (head.tag <= state.acked) return {};  // an echo of something long answered
  if (head.tag > state.acked + options_.window) return refuse_connection(ENOBUFS, connection.options, out);
  if (const auto kept = state.retained.find(head.tag); kept != state.retained.end()) {
    append_body(kept->second.body, out);
    return {};
  }
  if (state.retained.size() >= options_.window) return refuse_connection(ENOBUFS, connection.options, out);
  if (must_wait(session, head, packet.messages)) {
    Deferred group{.connection = id,
                   .ssid = ssid,
                   .tag = head.tag,
                   .overtakes = (head.flags & flag_overtakes) != 0,
                   .body = std::string(body)};
    if (!has_room_to_wait(group)) return refuse_connection(ENOBUFS, connection.options, out);
    deferred_.push_back(std::move(group));
    return {};
  }
  run_now(connection, session, packet, out);
  return {};
}

// With what others did to the tree just before told apart from what we do.
void SessionServer::run_now(const Connection& connection, ServerSession& session, const Packet& packet,
                            std::string& out) {
  LeaseTable& leases = export_.leases();
  const bool is_watched = !leases.is_empty();
  const Footprint own = is_watched ? footprint_of(session, packet.messages) : Footprint();
  if (is_watched) recall_changed({}, 0);
  leases.drop_trees(session.ssid, own);
  GroupRunner runner(export_, session, connection.options, connection.msize,
                     [this](uint32_t ssid) { return can_be_asked(ssid); });
  append_body(runner.run(std::get<Tgroup>(packet.head), packet.messages), out);
  for (const uint64_t wanted : leases.take_wanted())
    if (LeaseTable::Lease* const lease = leases.find(wanted)) recall(*lease);
  send_lock_news(export_.locks().take_news());
  if (is_watched) recall_changed(own, session.ssid);
}

void SessionServer::disconnect(uint64_t id, uint64_t now_s) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const std::set<uint32_t> orphans = std::move(found->second.sessions);
  connections_.erase(found);
  outgoing_.erase(id);
  std::erase_if(deferred_, [id](const Deferred& group) { return group.connection == id; });
  for (const uint32_t ssid : orphans) {
    const auto session = sessions_.find(ssid);
    if (session == sessions_.end() || session->second->connection != id) continue;  // it never was this one's
    session->second->connection = 0;
    session->second->last_seen_s = now_s;
    if (session->second->state.linger_s == 0) end_session(ssid);
  }
  retry_if_ended();
}

void SessionServer::expire(uint64_t now_s) {
  now_s_ = std::max(now_s_, now_s);
  std::vector<uint32_t> over;
  for (const auto& [ssid, session] : sessions_)
    if (session->connection == 0 && now_s - session->last_seen_s >= session->state.linger_s) over.push_back(ssid);
  for (const uint32_t ssid : over) end_session(ssid);
  retry_deferred();
}

void SessionServer::end_session(uint32_t ssid) {
  const auto found = sessions_.find(ssid);
  const std::unique_ptr<ServerSession> session = std::move(found->second);
  sessions_.erase(found);
  (void)export_.leases().drop(ssid);
  forget_deferred(ssid, 0);
  by_token_.erase(session->state.token);
  if (--owned_[session->state.owner] == 0) owned_.erase(session->state.owner);
  export_.forget(*session);
  session->fids.clear();
  for (const auto& [number, record] : session->state.fids) {
    export_.locks().drop({.ssid = ssid, .fid = number}, record.id);
    export_.closed(record);
  }
  send_lock_news(export_.locks().take_news());
  session->journal->erase();
}

}  // namespace osp::pip
