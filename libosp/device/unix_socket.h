#pragma once

#include <sys/socket.h>

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "libosp/device/unix_address.h"
#include "libosp/file/files.h"

namespace osp::device {

class UnixSocket;

// What was sent together: bytes, open files (SCM_RIGHTS), and by whom.
struct UnixMessage {
  std::vector<std::byte> data;
  size_t taken = 0;  // of a stream, from its start
  std::vector<std::shared_ptr<file::Description>> files;
  ucred sender = {};
  UnixAddress from;
  [[nodiscard]] size_t left() const { return data.size() - taken; }
};

// How a call sends or receives.
struct UnixTransfer {
  int flags = 0;             // MSG_…
  uint64_t deadline_ns = 0;  // SO_SNDTIMEO, SO_RCVTIMEO; 0: none
  bool has_timeout = false;  // then a signal is EINTR
};

// unix(7). A connection is two sockets that know each other; what is sent lies in the receiver's queue. Calls answer
// what the system calls of their names do.
class UnixSocket final : public file::Description, public std::enable_shared_from_this<UnixSocket> {
 public:
  // Of what is on its way, with what Linux counts for each message besides; and how many datagrams may wait at a socket
  // that is not connected to their sender.
  static constexpr size_t default_buffer = 212992, message_cost = 767, most_datagrams = 11;

  UnixSocket(int type, int open_flags);
  ~UnixSocket() override;
  static std::pair<std::shared_ptr<UnixSocket>, std::shared_ptr<UnixSocket>> pair(int type, int open_flags,
                                                                                  const ucred& owner);

  void set_address(UnixAddress address) { address_ = std::move(address); }
  long listen(int backlog, const ucred& owner);
  // EAGAIN ECONNREFUSED EISCONN EINVAL EPROTOTYPE.
  long connect(task::Thread& thread, const std::shared_ptr<UnixSocket>& to, const ucred& owner);
  void disconnect();  // of datagrams: connect(2) with AF_UNSPEC
  long accept(task::Thread& thread, std::shared_ptr<UnixSocket>& accepted);
  long shutdown(int how);

  // All of a datagram; of a stream all that there is, or what a signal, a timeout or O_NONBLOCK let through. `to` is
  // for datagrams; null: the peer.
  long send(task::Thread& thread, UnixMessage message, const std::shared_ptr<UnixSocket>& to, const UnixTransfer& how);
  // Up to `size` bytes, with what came beside them. For a datagram that is longer, its whole size is left in `whole`.
  struct Received {
    UnixMessage message;
    size_t whole = 0;
  };
  Result<Received> receive(task::Thread& thread, size_t size, const UnixTransfer& how, long& restart);

  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread& thread, const void* from, size_t size) override;
  Result<pip::Attributes> stat() override { return attributes_; }
  long control(task::Thread& thread, uint64_t request, uint64_t argument) override;
  [[nodiscard]] short ready() const override;
  task::WaitQueue* changes() override { return &changed_; }

  [[nodiscard]] int type() const { return type_; }
  [[nodiscard]] bool is_stream() const { return type_ == SOCK_STREAM; }
  [[nodiscard]] bool is_listening() const { return is_listening_; }
  [[nodiscard]] bool is_connected() const { return was_connected_; }
  [[nodiscard]] const UnixAddress& address() const { return address_; }
  // Of the other side, also when that has been closed since; null: there is none.
  [[nodiscard]] const UnixAddress* peer_address() const { return was_connected_ ? &peer_address_ : nullptr; }
  [[nodiscard]] const ucred& peer_owner() const { return peer_owner_; }
  int take_error() { return std::exchange(error_, 0); }

  // SO_PASSCRED, SO_SNDBUF, SO_RCVTIMEO…: kept for whoever answers for options.
  bool passes_credentials = false;
  size_t buffer_size = default_buffer;
  int64_t send_timeout_ns = 0, receive_timeout_ns = 0;  // 0: none

 private:
  class Relay;

  void meet(const std::shared_ptr<UnixSocket>& other);
  void push(UnixMessage message);
  [[nodiscard]] size_t used() const { return queue_size_ + queue_.size() * message_cost; }
  [[nodiscard]] bool has_room_for(const UnixSocket& sender) const;
  [[nodiscard]] bool cannot_send(const UnixSocket* peer) const;
  long send_stream(task::Thread& thread, UnixMessage message, const UnixTransfer& how);
  long send_datagram(task::Thread& thread, UnixMessage message, const std::shared_ptr<UnixSocket>& to,
                     const UnixTransfer& how);
  long wait(task::Thread& thread, task::WaitQueue* other, const UnixTransfer& how);
  long wait_for_message(task::Thread& thread, const UnixTransfer& how);
  Received take(size_t size, bool peek);
  void take_stream(size_t size, bool peek, UnixMessage& out);
  void drained();

  const int type_;
  UnixAddress address_;
  bool is_listening_ = false;
  size_t backlog_ = 0;
  std::deque<std::shared_ptr<UnixSocket>> waiting_;  // to be accepted
  std::weak_ptr<UnixSocket> peer_;
  std::unique_ptr<Relay> relay_;  // of a connected datagram socket: tells it of room at the other one
  bool was_connected_ = false, peer_is_gone_ = false;
  bool shut_for_reading_ = false, shut_for_writing_ = false;
  UnixAddress peer_address_;
  ucred owner_ = {}, peer_owner_ = {};
  std::deque<UnixMessage> queue_;
  size_t queue_size_ = 0;
  int error_ = 0;  // SO_ERROR
  task::WaitQueue changed_;
  task::WaitQueue room_;  // in the queue, or to be accepted
  pip::Attributes attributes_;
};

// The sockets that have names. A socket that is closed loses its own.
class UnixNames {
 public:
  // Of an abstract name, or of a file of a server. EADDRINUSE.
  Result<void> add(const UnixAddress& abstract, const std::shared_ptr<UnixSocket>& socket);
  void add(const void* server, uint64_t id, const std::shared_ptr<UnixSocket>& socket);
  [[nodiscard]] std::shared_ptr<UnixSocket> find(const UnixAddress& abstract) const;
  [[nodiscard]] std::shared_ptr<UnixSocket> find(const void* server, uint64_t id) const;
  // An abstract name that nobody has (unix(7), "Autobind feature").
  [[nodiscard]] UnixAddress unused() const;

 private:
  std::map<std::string, std::weak_ptr<UnixSocket>> abstract_;
  std::map<std::pair<const void*, uint64_t>, std::weak_ptr<UnixSocket>> files_;
};

UnixNames& unix_names();

}  // namespace osp::device
