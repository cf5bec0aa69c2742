// What is sent and received over unix sockets.
#include <algorithm>

#include "libosp/device/support.h"
#include "libosp/device/unix_relay.h"
#include "libosp/device/unix_socket.h"
#include "libosp/trap/frame.h"

namespace osp::device {
namespace {

constexpr size_t chunk = 64 * 1024;

}  // namespace

bool UnixSocket::has_room_for(const UnixSocket& sender) const {
  const bool knows_sender = peer_.lock().get() == &sender;
  if (type_ == SOCK_DGRAM && !knows_sender && queue_.size() >= most_datagrams) return false;
  return used() < sender.buffer_size;
}

// A sender that waits looks again.
void UnixSocket::drained() {
  room_.notify();
  if (const auto peer = peer_.lock(); peer != nullptr && type_ != SOCK_DGRAM) peer->changed_.notify();
}

void UnixSocket::push(UnixMessage message) {
  queue_size_ += message.left();
  queue_.push_back(std::move(message));
  changed_.notify();
}

// 0: look again.
long UnixSocket::wait(task::Thread& thread, task::WaitQueue* other, const UnixTransfer& how) {
  if ((flags & O_NONBLOCK) != 0 || (how.flags & MSG_DONTWAIT) != 0) return -EAGAIN;
  task::WaitQueue* const queues[] = {&changed_, other};
  switch (task::wait_on(thread, queues, how.deadline_ns)) {
    case task::Wake::signal:
      return how.has_timeout ? -EINTR : static_cast<long>(task::restart_sys);
    case task::Wake::timeout:
      return -EAGAIN;
    default:
      return 0;
  }
}

bool UnixSocket::cannot_send(const UnixSocket* peer) const {
  return shut_for_writing_ || peer == nullptr || peer->shut_for_reading_;
}

long UnixSocket::send(task::Thread& thread, UnixMessage message, const std::shared_ptr<UnixSocket>& to,
                      const UnixTransfer& how) {
  message.from = address_;
  if ((how.flags & MSG_OOB) != 0) return -EOPNOTSUPP;
  if (type_ == SOCK_DGRAM) return send_datagram(thread, std::move(message), to, how);
  if (to != nullptr) return was_connected_ ? -EISCONN : -EOPNOTSUPP;
  if (!was_connected_) return -ENOTCONN;
  if (!is_stream() && message.data.size() > buffer_size) return -EMSGSIZE;
  if (is_stream() && message.data.empty()) return 0;
  return send_stream(thread, std::move(message), how);
}

// A stream takes the message in parts, as there is room; a seqpacket socket at once.
long UnixSocket::send_stream(task::Thread& thread, UnixMessage message, const UnixTransfer& how) {
  const size_t size = message.data.size();
  size_t done = 0;
  do {
    const auto peer = peer_.lock();
    if (cannot_send(peer.get())) {
      const long broken = (how.flags & MSG_NOSIGNAL) != 0 ? -EPIPE : broken_pipe(thread);
      return done > 0 ? static_cast<long>(done) : broken;
    }
    if (!peer->has_room_for(*this)) {
      const long stop = wait(thread, nullptr, how);
      if (stop != 0) return done > 0 ? static_cast<long>(done) : stop;
      continue;
    }
    if (!is_stream() || (done == 0 && size <= buffer_size - std::min(buffer_size, peer->queue_size_))) {
      peer->push(std::move(message));
      return static_cast<long>(size);
    }
    const size_t part = std::min(size - done, buffer_size - std::min(buffer_size, peer->queue_size_));
    UnixMessage piece = {{message.data.begin() + static_cast<ptrdiff_t>(done),
                          message.data.begin() + static_cast<ptrdiff_t>(done + part)},
                         0,
                         std::exchange(message.files, {}),
                         message.sender,
                         message.from};
    peer->push(std::move(piece));
    done += part;
  } while (done < size);
  return static_cast<long>(done);
}

long UnixSocket::send_datagram(task::Thread& thread, UnixMessage message, const std::shared_ptr<UnixSocket>& to,
                               const UnixTransfer& how) {
  if (to != nullptr && to->type_ != type_) return -EPROTOTYPE;
  const size_t size = message.data.size();
  if (size > buffer_size) return -EMSGSIZE;
  for (;;) {
    if (shut_for_writing_) return (how.flags & MSG_NOSIGNAL) != 0 ? -EPIPE : broken_pipe(thread);
    const auto target = to != nullptr ? to : peer_.lock();
    if (target == nullptr) {
      const bool had_peer = std::exchange(was_connected_, false);
      return had_peer ? -ECONNREFUSED : -ENOTCONN;
    }
    if (target->shut_for_reading_) return (how.flags & MSG_NOSIGNAL) != 0 ? -EPIPE : broken_pipe(thread);
    if (target->was_connected_ && target->peer_.lock().get() != this) return -EPERM;
    if (target->has_room_for(*this)) {
      target->push(std::move(message));
      return static_cast<long>(size);
    }
    if (const long stop = wait(thread, &target->room_, how); stop != 0) return stop;
  }
}

// 0: there is one. 1: there will be none any more.
long UnixSocket::wait_for_message(task::Thread& thread, const UnixTransfer& how) {
  while (queue_.empty()) {
    if (const int error = take_error(); error != 0) return -error;
    if (shut_for_reading_ || (type_ != SOCK_DGRAM && peer_is_gone_)) return 1;
    if (type_ != SOCK_DGRAM && !was_connected_) return type_ == SOCK_STREAM ? -EINVAL : -ENOTCONN;
    if (const long stop = wait(thread, nullptr, how); stop != 0) return stop;
  }
  return 0;
}

Result<UnixSocket::Received> UnixSocket::receive(task::Thread& thread, size_t size, const UnixTransfer& how,
                                                 long& restart) {
  if ((how.flags & MSG_OOB) != 0) return fail(EOPNOTSUPP);
  Received received;
  const bool wants_all = (how.flags & MSG_WAITALL) != 0 && is_stream() && (how.flags & MSG_PEEK) == 0;
  do {
    const long stop = wait_for_message(thread, how);
    if (stop != 0 && (stop == 1 || received.whole > 0)) break;
    if (task::is_restart(stop)) {
      restart = stop;
      return fail(EINTR);
    }
    if (stop < 0) return fail(static_cast<int>(-stop));
    const size_t had = received.message.data.size();
    Received more = take(size - had, (how.flags & MSG_PEEK) != 0);
    if (!more.message.files.empty() || had == 0) {
      more.message.data.insert(more.message.data.begin(), received.message.data.begin(), received.message.data.end());
      received.message = std::move(more.message);
    } else {
      received.message.data.insert(received.message.data.end(), more.message.data.begin(), more.message.data.end());
    }
    received.whole = is_stream() ? received.message.data.size() : more.whole;
  } while (wants_all && received.message.data.size() < size && received.message.files.empty());
  return received;
}

UnixSocket::Received UnixSocket::take(size_t size, bool peek) {
  Received received;
  UnixMessage& first = queue_.front();
  received.message.files = first.files;
  received.message.sender = first.sender;
  received.message.from = first.from;
  received.whole = first.left();
  if (is_stream()) {
    take_stream(size, peek, received.message);
  } else {
    received.message.data.assign(first.data.begin(),
                                 first.data.begin() + static_cast<ptrdiff_t>(std::min(size, first.data.size())));
    if (!peek) {
      queue_size_ -= first.left();
      queue_.pop_front();
    }
  }
  if (!peek) drained();
  return received;
}

// What follows without files of its own, and from the same sender where that is told, comes with the first.
void UnixSocket::take_stream(size_t size, bool peek, UnixMessage& out) {
  for (size_t at = 0; at < queue_.size() && out.data.size() < size;) {
    UnixMessage& next = queue_[at];
    const bool is_first = out.data.empty();
    if (!is_first && (!next.files.empty() || (passes_credentials && next.sender.pid != out.sender.pid))) break;
    const size_t part = std::min(next.left(), size - out.data.size());
    const auto from = next.data.begin() + static_cast<ptrdiff_t>(next.taken);
    out.data.insert(out.data.end(), from, from + static_cast<ptrdiff_t>(part));
    if (peek) {
      ++at;
      continue;
    }
    next.taken += part;
    queue_size_ -= part;
    next.files.clear();
    if (next.left() == 0) queue_.pop_front();
    if (is_first && !out.files.empty() && part == 0) break;
  }
}

long UnixSocket::read(task::Thread& thread, void* to, size_t size) {
  if (size == 0 && is_stream()) return 0;
  long restart = 0;
  UnixTransfer how;
  how.has_timeout = receive_timeout_ns != 0;
  if (how.has_timeout) how.deadline_ns = task::host_now_ns() + static_cast<uint64_t>(receive_timeout_ns);
  const auto received = receive(thread, std::min(size, chunk * 4), how, restart);
  if (!received) return restart != 0 ? restart : -received.error().code;
  const auto& data = received->message.data;
  return osp_user_copy(to, data.data(), data.size()) == 0 ? static_cast<long>(data.size()) : -EFAULT;
}

long UnixSocket::write(task::Thread& thread, const void* from, size_t size) {
  UnixTransfer how;
  how.has_timeout = send_timeout_ns != 0;
  if (how.has_timeout) how.deadline_ns = task::host_now_ns() + static_cast<uint64_t>(send_timeout_ns);
  if (!is_stream() && size > buffer_size) return -EMSGSIZE;
  size_t done = 0;
  do {
    UnixMessage message;
    message.data.resize(is_stream() ? std::min(size - done, chunk) : size);
    message.sender = owner_;
    message.sender.pid = thread.process.pid;
    const size_t part = message.data.size();
    if (osp_user_copy(message.data.data(), static_cast<const std::byte*>(from) + done, part) != 0)
      return done > 0 ? static_cast<long>(done) : -EFAULT;
    const long sent = send(thread, std::move(message), nullptr, how);
    if (sent < 0) return done > 0 ? static_cast<long>(done) : sent;
    done += static_cast<size_t>(sent);
    if (static_cast<size_t>(sent) < part) break;
  } while (done < size);
  return static_cast<long>(done);
}

}  // namespace osp::device
