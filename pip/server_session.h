#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "pip/journal.h"
#include "pip/lease_table.h"
#include "pip/lock_table.h"
#include "pip/restricted_server.h"
#include "pip/server.h"
#include "pip/session_state.h"

namespace osp::pip {

// An open fid. Its record is in the session's state under the same number.
struct OpenFid {
  std::unique_ptr<File> file;  // null: a name fid, or one that could not be opened again (ESTALE)
  bool is_directory = false;
  bool is_root = false;             // of a Tattach, and not open yet: most never are, and there may be many sessions
  bool is_read_only = false;        // whatever its mode was: RestrictedServer::read_only
  bool durable = false;             // the journal knows it
  uint64_t hidden_at = UINT64_MAX;  // index of held_directory in the root's listing
};

// A session as the server has it in memory.
struct ServerSession {
  SessionState state;
  std::map<uint32_t, OpenFid> fids;
  std::unique_ptr<Journal> journal;
  Access access = Access::everything();
  std::unique_ptr<RestrictedServer> restricted;  // null: all is allowed
  uint32_t csid = 0;
  uint32_t ssid = 0;
  uint64_t connection = 0;   // 0: none now
  uint64_t last_seen_s = 0;  // when it lost its connection
  uint64_t last_heard_s = 0;
  uint64_t lease_epoch = 0;         // another: what leases it had are gone
  uint64_t last_tag = 0;            // of the groups that are sent to it
  size_t compact_above = 1U << 20;  // bytes of journal

  // Of a fid; empty: there is none.
  [[nodiscard]] std::optional<std::string> path_of(uint32_t fid) const;
  // Appends to the journal; what it says is in `state` already or will be put there by the caller.
  Result<void> write(std::string_view record) { return journal->append(record); }
  // From now on. Fids that may not be open so any more are stale.
  void restrict_to(Server& server, const Access& to);
  // Rewrites the journal if it has grown. Only between groups.
  void compact();
};

// The served tree with what all sessions must agree on: who has what open, and the names under which removed
// files live on while they are open.
class Export {
 public:
  // `watch`: the caller's; null: nobody else changes the tree.
  Export(Server& server, bool durable, ChangeWatch* watch) : server_(server), durable_(durable), leases_(watch) {}

  [[nodiscard]] Server& server() { return server_; }
  [[nodiscard]] LeaseTable& leases() { return leases_; }
  [[nodiscard]] LockTable& locks() { return locks_; }
  void add(ServerSession& session) { sessions_[session.ssid] = &session; }
  void forget(ServerSession& session) { sessions_.erase(session.ssid); }

  // A fid of this file was opened, or closed; the last close of a held file removes it.
  void opened(const FidRecord& record);
  void closed(const FidRecord& record);

  // Before the name `path` goes away: if somebody has its file open, gives it a hidden name, so that a restarted
  // server can open it again. Failure only means that it cannot.
  // Returns the hidden name; "": there is none.
  std::string hold(const std::string& path);
  // The name did not go away after all.
  void release(const std::string& held, const std::string& path);
  // What a client is to see of a file: without its hidden names.
  [[nodiscard]] Attributes shown(Attributes attributes) const;
  // Whether a file with a hidden name has others that clients see.
  [[nodiscard]] bool has_other_names(const std::string& held);
  // After a rename: fids follow their files.
  void renamed(const std::string& from, const std::string& to, bool exchanged);
  // Removes hidden files that no session refers to (once, after loading).
  void sweep();

 private:
  template <class Predicate>
  bool any_fid(Predicate&& predicate) const;
  void remove_held(const std::string& held);
  // Gives every fid a new path where `replace` says one.
  template <class Replace>
  void repath(Replace&& replace);

  Server& server_;
  bool durable_;
  LeaseTable leases_;
  LockTable locks_;
  uint64_t held_count_ = 0;
  std::map<std::string, uint64_t> held_;  // hidden name → the file's id
  std::map<uint32_t, ServerSession*> sessions_;
  std::unordered_map<uint64_t, size_t> open_count_;  // by the file's id
};

// Opens a fid of a restarted server again, as it was. An error leaves it stale.
Result<void> reopen(Server& server, const FidRecord& record, OpenFid& fid);

}  // namespace osp::pip
