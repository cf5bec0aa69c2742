#pragma once

#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "pip/codec.h"
#include "pip/footprint.h"
#include "pip/server_session.h"

namespace osp::pip {

// The server's side of πp without a transport: bytes in, bytes out. One thread at a time; groups run as they
// arrive, and a call blocks as long as the served tree does.
class SessionServer {
 public:
  struct Options {
    uint32_t msize = default_msize;
    uint16_t nmsgs = default_nmsgs;
    uint16_t window = 1024;                     // groups of a session that may be unanswered
    uint32_t most_linger_s = 7 * 24 * 60 * 60;  // how long a session may wait for its client
    size_t most_sessions = 65536;
    uint32_t lease_term_s = 10;        // of silence, after which a session's leases are in nobody's way
    size_t most_deferred = 64U << 20;  // bytes of groups of a connection that wait for leases
    ChangeWatch* watch = nullptr;      // the caller's; null: nobody else changes the tree
  };

  // Loads the sessions that `journals` has kept and finds out about what was in flight. Both arguments are the
  // caller's and must live longer. EIO and the like: the journals cannot be read.
  static Result<std::unique_ptr<SessionServer>> create(Server& server, JournalStore& journals, Options options,
                                                       uint64_t now_s);

  // Who is at the other end of a connection. A session is its owner's, who alone may resume it.
  struct Peer {
    std::string owner{};
    Access access = Access::everything();
  };

  // A new connection's number, for the calls below. What comes before confirm() may be somebody's who only repeats
  // what the peer once sent: it opens no new session, and takes none from its connection; groups that were answered are
  // answered again, and none run where the peer's rights are not those of the session.
  uint64_t connect(Peer peer, bool is_confirmed = true);
  uint64_t connect() { return connect(Peer()); }
  // It is the peer's own connection. Appends what is to be sent now.
  Result<void> confirm(uint64_t connection, std::string& out);
  // What its peer may do from now on. Fids that may not be open any more are stale.
  void restrict_to(uint64_t connection, const Access& access);
  // What came on a connection; appends what is to be sent back on it. An error: send that, then close it. A group that
  // changes what others have leased waits until they have answered: its reply is among take_output()'s.
  Result<void> receive(uint64_t connection, std::string_view bytes, std::string& out, uint64_t now_s);
  // The connection is gone; its sessions wait for their clients to come back.
  void disconnect(uint64_t connection, uint64_t now_s);
  // What has become ready for connections meanwhile; call it after anything else that was called.
  [[nodiscard]] std::vector<uint64_t> connections_with_output() const;
  void take_output(uint64_t connection, std::string& out);
  // The watch has something to say.
  void look_at_changes();
  // Whether groups wait for leases: then call expire() a few times a second.
  [[nodiscard]] bool has_deferred() const { return !deferred_.empty(); }
  // Ends the sessions that have waited longer than their linger. Call it now and then.
  void expire(uint64_t now_s);
  [[nodiscard]] size_t session_count() const { return sessions_.size(); }

 private:
  static constexpr size_t most_deferred_of_all = 512U << 20;  // bytes

  // A Tsession's wish; ssid 0: for a new session.
  struct Wanted {
    uint32_t ssid = 0, csid = 0, linger_s = 0;
    uint64_t told_epoch = 0;  // by an Rsession that was sent
  };
  struct Connection {
    Connection(uint32_t most, Peer who) : peer(std::move(who)), frames(most), msize(most) {}
    Peer peer;
    FrameReader frames;
    OptionSet options;
    uint32_t msize;
    bool agreed = false;  // Tproto was seen
    bool is_confirmed = true;
    std::set<uint32_t> sessions;
    uint32_t latest = 0;         // of its last Tsession, 0: it was refused
    std::vector<Wanted> wanted;  // before it is confirmed
    bool waits = false;          // and until then nothing more is taken
  };

  // A group that waits for others' leases.
  struct Deferred {
    uint64_t connection = 0;
    uint32_t ssid = 0;
    uint64_t tag = 0;
    bool overtakes = false;
    std::string body;
  };

  SessionServer(Server& server, JournalStore& journals, Options options)
      : journals_(journals), options_(options), export_(server, journals.durable(), options.watch) {}

  Result<void> load(uint64_t now_s);
  void restore_fids(ServerSession& session);
  void resolve(ServerSession& session);
  Result<void> take_all(uint64_t id, Connection& connection, std::string& out);
  Result<void> take(uint64_t id, Connection& connection, std::string_view body, const Packet& packet, std::string& out);
  static Result<void> wait(Connection& connection);
  static Result<void> refuse_session(const Connection& connection, Error why, std::string& out);
  Result<void> grant(uint64_t id, Connection& connection, Wanted wanted, std::string& out);
  Result<void> agree(Connection& connection, const Tproto& t, std::string& out);
  Result<void> open_session(uint64_t id, Connection& connection, const Tsession& t, std::string& out);
  Result<ServerSession*> new_session(const Peer& owner);
  Result<ServerSession*> resume_session(const Connection& connection, const Tsession& t);
  void take_over(uint64_t id, Connection& connection, const Wanted& wanted);
  Result<void> tell_session(Connection& connection, const ServerSession& session, std::string& out);
  Result<void> run_group(uint64_t id, Connection& connection, std::string_view body, const Packet& packet,
                         std::string& out);
  void run_now(const Connection& connection, ServerSession& session, const Packet& packet, std::string& out);
  // session_locks.cc: locks.
  [[nodiscard]] bool can_be_asked(uint32_t ssid) const;
  void send_lock_news(const std::vector<LockTable::News>& news);
  void drop_stale_locks(ServerSession& session);
  void take_kept_locks(ServerSession& session, const Runlock& r);
  void send_to(ServerSession& session, const Message& message);
  // session_leases.cc: leases.
  Result<void> take_answer(const Connection& connection, const Rgroup& head, const Packet& packet);
  bool must_wait(ServerSession& session, const Tgroup& head, const std::vector<Message>& messages);
  bool is_out_of_reach(uint32_t ssid);
  void retry_deferred();
  void retry_if_ended();
  void forget_deferred(uint32_t ssid, uint64_t but_of);
  [[nodiscard]] bool has_room_to_wait(const Deferred& group) const;
  void end_holds(const Connection& connection);
  void recall(LeaseTable::Lease& lease);
  void recall_again(const ServerSession& session);
  void send_recall(ServerSession& session, uint64_t lease);
  void recall_changed(const Footprint& own, uint32_t by);
  Footprint footprint_of(const ServerSession& session, const std::vector<Message>& messages);
  bool has_not_answered(const LeaseTable::Lease& lease);
  void drop_leases(ServerSession& session);
  void end_session(uint32_t ssid);

  JournalStore& journals_;
  Options options_;
  Export export_;
  std::map<uint64_t, Connection> connections_;
  std::map<uint32_t, std::unique_ptr<ServerSession>> sessions_;  // by ssid
  std::map<std::string, uint32_t, std::less<>> by_token_;
  std::map<std::string, size_t, std::less<>> owned_;  // how many sessions, by owner
  std::list<Deferred> deferred_;
  std::map<uint64_t, std::string> outgoing_;  // by connection
  uint64_t ended_seen_ = 0;                   // leases
  uint64_t now_s_ = 0;
  uint64_t first_epoch_ = 0;  // of this run
  uint64_t last_connection_ = 0;
  uint32_t last_ssid_ = 0;
};

}  // namespace osp::pip
