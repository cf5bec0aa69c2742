// Names and connections of unix sockets; what is sent over them is in unix_transfer.cc.
#include "libosp/device/unix_socket.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "libosp/device/support.h"
#include "libosp/device/unix_relay.h"
#include "libosp/linux/call.h"

namespace osp::device {

UnixSocket::UnixSocket(int type, int open_flags) : type_(type), attributes_(attributes_of_new(S_IFSOCK | 0777)) {
  flags = O_RDWR | open_flags;
}

UnixSocket::~UnixSocket() {
  waiting_.clear();
  const auto peer = peer_.lock();
  if (peer == nullptr) return;
  peer->peer_is_gone_ = peer->type_ != SOCK_DGRAM || peer->peer_.expired();
  if (type_ != SOCK_DGRAM && !queue_.empty()) peer->error_ = ECONNRESET;
  peer->changed_.notify();
  peer->room_.notify();
}

void UnixSocket::meet(const std::shared_ptr<UnixSocket>& other) {
  peer_ = other;
  peer_address_ = other->address_;
  peer_owner_ = other->owner_;
  was_connected_ = true;
  peer_is_gone_ = false;
  if (type_ == SOCK_DGRAM) relay_ = std::make_unique<Relay>(other->room_, changed_);
}

std::pair<std::shared_ptr<UnixSocket>, std::shared_ptr<UnixSocket>> UnixSocket::pair(int type, int open_flags,
                                                                                     const ucred& owner) {
  auto one = std::make_shared<UnixSocket>(type, open_flags), other = std::make_shared<UnixSocket>(type, open_flags);
  one->owner_ = other->owner_ = owner;
  one->meet(other);
  other->meet(one);
  return {std::move(one), std::move(other)};
}

long UnixSocket::listen(int backlog, const ucred& owner) {
  if (type_ == SOCK_DGRAM) return -EOPNOTSUPP;
  if (address_.is_unnamed() || was_connected_) return -EINVAL;
  constexpr int most = 4096;  // net.core.somaxconn
  owner_ = owner;
  backlog_ = static_cast<size_t>(backlog < 0 || backlog > most ? most : backlog);
  is_listening_ = true;
  changed_.notify();
  room_.notify();
  return 0;
}

long UnixSocket::connect(task::Thread& thread, const std::shared_ptr<UnixSocket>& to, const ucred& owner) {
  if (to->type_ != type_) return -EPROTOTYPE;
  owner_ = owner;
  if (type_ == SOCK_DGRAM) {
    meet(to);
    changed_.notify();
    return 0;
  }
  if (is_listening_) return -EINVAL;
  if (was_connected_) return -EISCONN;
  while (to->is_listening_ && !to->shut_for_reading_ && to->waiting_.size() > to->backlog_) {
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, to->room_); stop != 0) return stop;
  }
  if (!to->is_listening_ || to->shut_for_reading_) return -ECONNREFUSED;
  auto other = std::make_shared<UnixSocket>(type_, 0);
  other->address_ = to->address_;
  other->owner_ = to->owner_;
  other->passes_credentials = to->passes_credentials;
  other->meet(shared_from_this());
  meet(other);
  to->waiting_.push_back(std::move(other));
  to->changed_.notify();
  changed_.notify();
  return 0;
}

void UnixSocket::disconnect() {
  peer_.reset();
  relay_.reset();
  was_connected_ = peer_is_gone_ = false;
  changed_.notify();
}

long UnixSocket::accept(task::Thread& thread, std::shared_ptr<UnixSocket>& accepted) {
  if (type_ == SOCK_DGRAM) return -EOPNOTSUPP;
  if (!is_listening_) return -EINVAL;
  while (waiting_.empty()) {
    if (shut_for_reading_) return -EINVAL;
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, changed_); stop != 0) return stop;
  }
  accepted = std::move(waiting_.front());
  waiting_.pop_front();
  room_.notify();
  return 0;
}

long UnixSocket::shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  if (type_ != SOCK_DGRAM && !was_connected_ && !is_listening_) return -ENOTCONN;
  const bool reading = how != SHUT_WR, writing = how != SHUT_RD;
  shut_for_reading_ = shut_for_reading_ || reading;
  shut_for_writing_ = shut_for_writing_ || writing;
  if (const auto peer = peer_.lock(); peer != nullptr && type_ != SOCK_DGRAM) {
    peer->shut_for_reading_ = peer->shut_for_reading_ || writing;
    peer->shut_for_writing_ = peer->shut_for_writing_ || reading;
    peer->changed_.notify();
  }
  changed_.notify();
  room_.notify();
  return 0;
}

short UnixSocket::ready() const {
  if (is_listening_) return waiting_.empty() ? short{0} : POLLIN;
  int ready = 0;
  const bool is_connection = type_ != SOCK_DGRAM;
  const bool ended = is_connection && (peer_is_gone_ || shut_for_reading_);
  if (!queue_.empty() || shut_for_reading_ || ended) ready |= POLLIN;
  if (ended || shut_for_reading_) ready |= POLLRDHUP;
  if (is_connection && (!was_connected_ || peer_is_gone_ || (shut_for_reading_ && shut_for_writing_))) ready |= POLLHUP;
  if (error_ != 0) ready |= POLLERR;
  const auto peer = peer_.lock();
  // As Linux: with most of the room free, so that it is worth it.
  if (peer == nullptr || (peer->has_room_for(*this) && peer->used() * 4 <= buffer_size)) ready |= POLLOUT;
  return static_cast<short>(ready);
}

long UnixSocket::control(task::Thread&, uint64_t request, uint64_t argument) {
  const auto peer = peer_.lock();
  const bool by_message = type_ == SOCK_DGRAM;
  switch (request) {
    case FIONREAD: {
      if (is_listening_) return -EINVAL;
      const size_t size = by_message && !queue_.empty() ? queue_.front().left() : queue_size_;
      return linux::put(argument, static_cast<int>(size)) ? 0 : -EFAULT;
    }
    case SIOCOUTQ:
      return linux::put(argument, static_cast<int>(peer == nullptr ? 0 : peer->queue_size_)) ? 0 : -EFAULT;
    default:
      return -ENOTTY;
  }
}

Result<void> UnixNames::add(const UnixAddress& abstract, const std::shared_ptr<UnixSocket>& socket) {
  if (find(abstract) != nullptr) return fail(EADDRINUSE);
  abstract_[abstract.name] = socket;
  return {};
}

void UnixNames::add(const void* server, uint64_t id, const std::shared_ptr<UnixSocket>& socket) {
  std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
  files_[{server, id}] = socket;
}

std::shared_ptr<UnixSocket> UnixNames::find(const UnixAddress& abstract) const {
  const auto found = abstract_.find(abstract.name);
  return found == abstract_.end() ? nullptr : found->second.lock();
}

std::shared_ptr<UnixSocket> UnixNames::find(const void* server, uint64_t id) const {
  const auto found = files_.find({server, id});
  return found == files_.end() ? nullptr : found->second.lock();
}

UnixAddress UnixNames::unused() const {
  UnixAddress address;
  for (unsigned number = 0; number < 0x100000; ++number) {
    address.name = std::string(1, '\0') + fmt::format("{:05x}", number);
    if (find(address) == nullptr) break;
  }
  return address;
}

UnixNames& unix_names() {
  static UnixNames names;
  return names;
}

}  // namespace osp::device
