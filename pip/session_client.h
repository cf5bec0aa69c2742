#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pip/codec.h"
#include "pip/range_locks.h"

namespace osp::pip {

// A group's answer: its replies, and the bytes that they point into.
struct Answer {
  std::unique_ptr<std::string> bytes;
  std::vector<Message> replies;
};

// The client's side of a session without a transport: what is unanswered, and how to go on over the next connection.
// Whoever owns the connections calls connected() on each new one, sends what is appended to `out`, feeds what arrives
// into receive(), and takes the answers. Never blocks; not thread-safe; not for signal handlers.
class SessionClient {
 public:
  struct Options {
    std::string user = "";
    uint32_t msize = default_msize;
    uint32_t linger_s = 24 * 60 * 60;  // how long the server is asked to keep the session for us
    uint32_t csid = 1;
  };
  enum class State : uint8_t { idle, greeting, open, lost };

  explicit SessionClient(Options options) : options_(std::move(options)), frames_(options_.msize) {}

  // A new connection: says hello and asks for the session (again). What was unanswered is sent once it is there.
  void connected(std::string& out);
  // The connection is gone. Nothing is lost: the next connected() goes on.
  void disconnected();
  // What arrived. An error: this connection is of no more use (EBADMSG, EPROTO, or what the server said), or, with
  // state() lost, the session is gone and every unanswered group with it (ESTALE as a rule).
  Result<void> receive(std::string_view bytes, std::string& out);

  // Encodes a group and queues it; appended to `out` if it may go now. Returns its tag. The views in `messages` are
  // needed no longer. EMSGSIZE; ESTALE: the session is lost; EPROTONOSUPPORT.
  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags, std::string& out);
  // The answer of a group, once. Empty: not yet.
  std::optional<Answer> take(uint64_t tag);
  [[nodiscard]] bool is_answered(uint64_t tag) const { return answers_.contains(tag); }
  // Nobody will take the answer of this group.
  void forget(uint64_t tag);
  // The tags of answers not taken yet, in the order they came, each once: for event loops.
  std::optional<uint64_t> next_answered();

  // A probe, outside any group; whatever then arrives shows that the peer is there. `data`: what the answer holds.
  void ping(std::string_view data, std::string& out);
  // The data of the last probe that was answered on this connection; empty: none was.
  [[nodiscard]] const std::string& answered_ping() const { return answered_ping_; }

  // A lease that the server wants back, each once, in the order of what arrives; answer it with returned().
  std::optional<uint64_t> next_recall();
  // Not before all up to the group `after` are sent, which were answered on its word.
  void returned(uint64_t lease, uint64_t after, std::string& out);
  // What the server has to say of locks (docs/pip.md, "Locks"), each once.
  struct LockNews {
    uint32_t fid = 0;
    LockKind kind = LockKind::range;
    bool is_retry = false;  // what was refused may be had now; else the server asks what is in use: answer keep()
  };
  std::optional<LockNews> next_lock_news();
  // What our programs have of what we hold; all else is given back. No Tlock of the file and kind may be under way.
  void keep(uint32_t fid, LockKind kind, const RangeLocks& locks, std::string& out);
  // How many groups may be unanswered.
  [[nodiscard]] uint16_t window() const { return window_; }
  // Changes when the server has forgotten which leases we had. Term: seconds of silence that end them.
  [[nodiscard]] uint64_t lease_epoch() const { return epoch_; }
  [[nodiscard]] uint32_t lease_term_s() const { return term_s_; }
  // Tells the server that the session ends with this connection.
  void end(std::string& out);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool has_unanswered() const { return !pending_.empty(); }
  [[nodiscard]] uint32_t msize() const { return msize_; }
  // The most that one Tread or Twrite may carry.
  [[nodiscard]] uint32_t iounit() const { return iounit_of(msize_); }
  [[nodiscard]] const std::string& token() const { return token_; }
  // Why the session was lost.
  [[nodiscard]] Error error() const { return error_; }

 private:
  static constexpr size_t most_under_way = 32U << 20;  // bytes: a server need not take more (docs/pip.md, "Groups")

  struct Pending {
    std::string packet{};  // with length, and the head's Ssid and Acked still to be set
    bool overtakes = false;
    bool is_sent = false;  // on this connection
    bool forgotten = false;
  };

  Result<void> take_packet(std::string_view body, std::string& out);
  Result<void> refused(const Rerror& r);
  Result<void> take_answer(const Rgroup& head, std::string_view body);
  void take_news(const std::vector<Message>& messages);
  void opened(const Rsession& session, std::string& out);
  void send(std::string& out);
  void send_to(uint32_t ssid, std::string& out);
  void send_returns(std::string& out);
  void send_one(Pending& pending, uint32_t ssid, std::string& out);
  void hello(uint32_t linger_s, std::string& out);

  Options options_;
  FrameReader frames_;
  State state_ = State::idle;
  Error error_{ESTALE};
  uint32_t msize_ = least_msize * 8;
  uint32_t ssid_ = 0;
  uint16_t window_ = 64;
  std::string token_;
  bool agreed_ = false;  // Rproto was seen on this connection
  uint64_t last_tag_ = 0;
  uint64_t acked_ = 0;                   // all up to here are answered
  uint64_t sent_ = 0;                    // and up to here are sent, on this connection
  size_t under_way_ = 0;                 // bytes of what is sent and unanswered
  std::map<uint64_t, Pending> pending_;  // unanswered, by tag
  std::map<uint64_t, Answer> answers_;
  std::deque<uint64_t> answered_;
  std::deque<uint64_t> recalls_;
  std::deque<LockNews> lock_news_;
  std::deque<std::pair<uint64_t, uint64_t>> returns_;  // after which group, and the lease
  std::string answered_ping_;
  uint64_t epoch_ = 0;
  uint32_t term_s_ = 0;
};

}  // namespace osp::pip
