#pragma once

#include <map>
#include <memory>
#include <string>

#include "namespace/mem_server.h"
#include "pip/cache/lease_channel.h"
#include "pip/client_wire.h"
#include "pip/session_server.h"
#include "tools/keeper_jobs.h"
#include "tools/keeper_loop.h"

namespace osp::keeper {

// A session with a server on the network, for jobs: many groups may be in flight. It connects again for ever, after
// the first time.
class StreamUpstream final : public pip::LeaseChannel {
 public:
  // In a job: connects and opens the session; gives up after a few seconds. ECONNREFUSED, ENOENT (unix), ETIMEDOUT,
  // EHOSTUNREACH, EPROTONOSUPPORT; of a sealed one EACCES, EKEYREJECTED, EBADMSG. The loop must live longer.
  // Then `why` may say more.
  static Result<std::unique_ptr<StreamUpstream>> create(Loop& loop, pip::Address address, std::string& why);
  // Ends the session.
  ~StreamUpstream() override;

  Result<uint64_t> submit(const std::vector<pip::Message>& messages, uint16_t flags) override;
  // In a job. ESTALE: the server has lost the session.
  Result<pip::Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override { session().forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return link_.session().iounit(); }
  [[nodiscard]] bool leases_hold() const override;
  [[nodiscard]] uint64_t lease_epoch() const override { return link_.session().lease_epoch(); }
  void returned(uint64_t lease, uint64_t after) override;
  void keep(uint32_t fid, pip::LockKind kind, const pip::RangeLocks& locks) override;
  [[nodiscard]] bool is_well() const override;
  [[nodiscard]] size_t window() const override { return link_.session().window(); }
  [[nodiscard]] bool is_answered(uint64_t tag) const override { return link_.session().is_answered(tag); }
  // The server knows the session no more; every call fails.
  [[nodiscard]] bool is_lost() const { return link_.session().state() == pip::SessionClient::State::lost; }

 private:
  void ping();
  void take_leases();
  void take_lock_news();
  void tick();
  Result<void> open();
  pip::SessionClient& session() { return link_.session(); }
  StreamUpstream(Loop& loop, pip::Address address);
  void begin_connect();
  void connected(Result<std::unique_ptr<pip::ClientWire>> wire);
  Result<void> begin(std::unique_ptr<pip::ClientWire> wire);
  void serve();
  Result<void> receive();
  void flush_soon();
  void send();
  void watch();
  void drop(Error why);
  void reconnect();
  void tell(Error why);
  void wake_answered();
  void wake_everyone();

  Loop& loop_;
  pip::Address address_;
  pip::ClientLink link_;
  std::unique_ptr<pip::ClientWire> wire_;  // null: there is no connection
  bool connecting_ = false;
  int connect_error_ = 0;
  std::string told_;  // what a person has been told of this trouble
  int64_t next_attempt_ms_ = 0;
  int64_t pause_ms_ = 0;
  int64_t heard_ms_ = 0, probed_ms_ = 0;
  uint64_t epoch_ = 0;           // of our leases
  int64_t leased_until_ms_ = 0;  // unless the server answers again
  std::string out_;
  short watched_ = 0;
  std::map<uint64_t, Jobs::Job*> waiting_;
  WaitList opening_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for what the connecting thread posts
};

// A memory file system (#m) as a server that is never away: a whole session within this process, so that its files
// are handled as all others are.
class MemoryUpstream final : public pip::Channel {
 public:
  static Result<std::unique_ptr<MemoryUpstream>> create(std::string name);
  Result<uint64_t> submit(const std::vector<pip::Message>& messages, uint16_t flags) override;
  Result<pip::Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override { session_.forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return session_.iounit(); }
  [[nodiscard]] ns::MemServer& files() { return files_; }

 private:
  explicit MemoryUpstream(std::string name);
  Result<void> carry(std::string& out);

  ns::MemServer files_;
  pip::NoJournalStore journals_;
  std::unique_ptr<pip::SessionServer> server_;
  uint64_t connection_ = 0;
  pip::SessionClient session_{{}};
};

}  // namespace osp::keeper
