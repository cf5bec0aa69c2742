// What is sent and received over sockets natively: sendmsg(2), recvmsg(2) and their family, cmsg(3).
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "libosp/linux/clock.h"
#include "libosp/linux/send_whole.h"
#include "libosp/native/calls.h"
#include "libosp/native/socket_call.h"

namespace osp::native {
namespace {

using device::UnixMessage;
using device::UnixSocket;
using device::UnixTransfer;
using linux::Buffers;
using Socket = std::shared_ptr<UnixSocket>;

constexpr size_t chunk = 64 * 1024, most_received = 16 * chunk, most_control = 64 * 1024, most_files = 253;

// The deadline of SO_SNDTIMEO and SO_RCVTIMEO, kept when the call begins again.
UnixTransfer transfer(Call& c, uint64_t flags, int64_t timeout_ns) {
  UnixTransfer how;
  how.flags = static_cast<int>(flags);
  how.has_timeout = timeout_ns != 0;
  if (how.has_timeout)
    how.deadline_ns = c.thread.restarting && c.thread.restart_deadline != 0
                          ? c.thread.restart_deadline
                          : task::host_now_ns() + static_cast<uint64_t>(timeout_ns);
  c.thread.restart_deadline = how.deadline_ns;
  return how;
}

long gather(Buffers& from, std::vector<std::byte>& data, size_t size) {
  data.resize(size);
  for (size_t done = 0; done < size;) {
    const iovec part = from.front(size - done);
    if (osp_user_copy(data.data() + done, part.iov_base, part.iov_len) != 0) return -EFAULT;
    from.advance(part.iov_len);
    done += part.iov_len;
  }
  return 0;
}

long scatter(Buffers to, const std::vector<std::byte>& data) {
  for (size_t done = 0; done < data.size();) {
    const iovec part = to.front(data.size() - done);
    if (osp_user_copy(part.iov_base, data.data() + done, part.iov_len) != 0) return -EFAULT;
    to.advance(part.iov_len);
    done += part.iov_len;
  }
  return static_cast<long>(data.size());
}

// A stream goes in parts, so that a large one needs little memory; the files with the first.
long send_all(Call& c, UnixSocket& socket, Buffers from, UnixMessage first, const Socket& to, const UnixTransfer& how) {
  if (!socket.is_stream() && from.size() > socket.buffer_size) return -EMSGSIZE;
  size_t done = 0;
  do {
    UnixMessage message;
    message.sender = first.sender;
    message.files = std::exchange(first.files, {});
    const size_t part = socket.is_stream() ? std::min(from.size(), chunk) : from.size();
    if (const long bad = gather(from, message.data, part); bad != 0) return done > 0 ? static_cast<long>(done) : bad;
    const long sent = socket.send(c.thread, std::move(message), to, how);
    if (sent < 0) return done > 0 ? static_cast<long>(done) : sent;
    done += static_cast<size_t>(sent);
    if (static_cast<size_t>(sent) < part) break;
  } while (from.size() > 0);
  return static_cast<long>(done);
}

long take_files(Call& c, const std::byte* data, size_t size, UnixMessage& message) {
  if (size % sizeof(int) != 0) return -EINVAL;
  if (message.files.size() + size / sizeof(int) > most_files) return -EINVAL;
  for (size_t at = 0; at < size; at += sizeof(int)) {
    int fd = 0;
    std::memcpy(&fd, data + at, sizeof fd);
    auto file = c.process.files->share(fd);
    if (file == nullptr) return -EBADF;
    message.files.push_back(std::move(file));
  }
  return 0;
}

long take_control(Call& c, const msghdr& header, UnixMessage& message) {
  if (header.msg_controllen == 0) return 0;
  if (header.msg_controllen > most_control) return -ENOBUFS;
  std::vector<std::byte> control(header.msg_controllen);
  if (osp_user_copy(control.data(), header.msg_control, control.size()) != 0) return -EFAULT;
  for (size_t at = 0; at + sizeof(cmsghdr) <= control.size();) {
    cmsghdr item = {};
    std::memcpy(&item, control.data() + at, sizeof item);
    if (item.cmsg_len < sizeof item || item.cmsg_len > control.size() - at) return -EINVAL;
    const std::byte* data = control.data() + at + sizeof item;
    const size_t size = item.cmsg_len - sizeof item;
    if (item.cmsg_level == SOL_SOCKET) {
      if (item.cmsg_type == SCM_RIGHTS) {
        if (const long bad = take_files(c, data, size, message); bad != 0) return bad;
      } else if (item.cmsg_type == SCM_CREDENTIALS) {
        if (size != sizeof message.sender) return -EINVAL;
        std::memcpy(&message.sender, data, size);
        if (message.sender.pid != c.process.pid && caller(c).uid != 0) return -EPERM;
      } else {
        return -EINVAL;
      }
    }
    at += CMSG_ALIGN(item.cmsg_len);
  }
  return 0;
}

// ENOTCONN and its like are the socket's to say.
Result<Socket> target_of(Call& c, const UnixSocket& socket, uint64_t address, uint64_t size) {
  if (address == 0 || size == 0) return Socket();
  if (socket.type() != SOCK_DGRAM) return fail(socket.is_connected() ? EISCONN : EOPNOTSUPP);
  OSP_ASSIGN(const auto name, get_address(address, size));
  return find_socket(c, name, socket.type());
}

long send_message(Call& c, uint64_t address, uint64_t flags) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  msghdr header = {};
  if (!linux::get(address, header)) return -EFAULT;
  auto buffers = Buffers::at(reinterpret_cast<uint64_t>(header.msg_iov), header.msg_iovlen);
  if (!buffers) return buffers.error().code == EINVAL ? -EMSGSIZE : -EFAULT;
  OSP_ASSIGN_OR_ERRNO(const auto to,
                      target_of(c, *socket, reinterpret_cast<uint64_t>(header.msg_name), header.msg_namelen));
  UnixMessage message;
  message.sender = caller(c);
  if (const long bad = take_control(c, header, message); bad != 0) return bad;
  return send_all(c, *socket, std::move(*buffers), std::move(message), to, transfer(c, flags, socket->send_timeout_ns));
}

// Fills the program's control buffer.
class Control {
 public:
  explicit Control(size_t room) : room_(room) {}

  [[nodiscard]] size_t room_for_data() const {
    const size_t used = CMSG_ALIGN(bytes_.size()) + sizeof(cmsghdr);
    return used >= room_ ? 0 : room_ - used;
  }
  void add(int type, const void* data, size_t size) {
    bytes_.resize(CMSG_ALIGN(bytes_.size()));
    cmsghdr item = {};
    item.cmsg_len = sizeof item + size, item.cmsg_level = SOL_SOCKET, item.cmsg_type = type;
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof item + size);
    std::memcpy(bytes_.data() + at, &item, sizeof item);
    std::memcpy(bytes_.data() + at + sizeof item, data, size);
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  bool truncated = false;

 private:
  size_t room_;
  std::vector<std::byte> bytes_;
};

// What has no room is closed, which the program is told of.
void put_files(Call& c, const UnixMessage& message, bool close_on_exec, Control& control) {
  std::vector<int> fds;
  const size_t most = control.room_for_data() / sizeof(int);
  for (const auto& file : message.files) {
    const long fd = fds.size() < most ? c.process.files->install(file, close_on_exec) : -EMFILE;
    if (fd < 0) {
      control.truncated = true;
      break;
    }
    fds.push_back(static_cast<int>(fd));
  }
  if (!fds.empty()) control.add(SCM_RIGHTS, fds.data(), fds.size() * sizeof(int));
}

long put_header(uint64_t address, msghdr& header, const device::UnixAddress& from, const Control& control) {
  if (header.msg_name != nullptr) {
    sockaddr_un name;
    const socklen_t size = from.is_unnamed() ? 0 : from.format(name);
    const size_t part = std::min(header.msg_namelen, size);
    if (osp_user_copy(header.msg_name, &name, part) != 0) return -EFAULT;
    header.msg_namelen = size;
  }
  const auto& bytes = control.bytes();
  const size_t part = std::min<size_t>(bytes.size(), header.msg_controllen);
  if (part != 0 && osp_user_copy(header.msg_control, bytes.data(), part) != 0) return -EFAULT;
  header.msg_controllen = std::min<size_t>(CMSG_ALIGN(bytes.size()), header.msg_controllen);
  return linux::put(address, header) ? 0 : -EFAULT;
}

// Parts of messages that are asked for once more are not bounded, so that all of a datagram is seen.
size_t most_of(const UnixSocket& socket, size_t size) {
  return socket.is_stream() ? std::min(size, most_received) : size;
}

long receive_message(Call& c, uint64_t address, uint64_t flags) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  msghdr header = {};
  if (!linux::get(address, header)) return -EFAULT;
  auto buffers = Buffers::at(reinterpret_cast<uint64_t>(header.msg_iov), header.msg_iovlen);
  if (!buffers) return buffers.error().code == EINVAL ? -EMSGSIZE : -EFAULT;
  long restart = 0;
  const auto got = socket->receive(c.thread, most_of(*socket, buffers->size()),
                                   transfer(c, flags, socket->receive_timeout_ns), restart);
  if (!got) return restart != 0 ? restart : -got.error().code;
  Control control(header.msg_controllen);
  if (socket->passes_credentials) {
    if (control.room_for_data() >= sizeof(ucred)) {
      control.add(SCM_CREDENTIALS, &got->message.sender, sizeof(ucred));
    } else {
      control.truncated = true;
    }
  }
  put_files(c, got->message, (flags & MSG_CMSG_CLOEXEC) != 0, control);
  const bool cut = got->whole > got->message.data.size();
  header.msg_flags = (control.truncated ? MSG_CTRUNC : 0) | (cut ? MSG_TRUNC : 0) |
                     static_cast<int>(flags & MSG_CMSG_CLOEXEC) | (socket->type() == SOCK_SEQPACKET ? MSG_EOR : 0);
  if (const long bad = scatter(std::move(*buffers), got->message.data); bad < 0) return bad;
  if (const long bad = put_header(address, header, got->message.from, control); bad != 0) return bad;
  return static_cast<long>((flags & MSG_TRUNC) != 0 ? got->whole : got->message.data.size());
}

}  // namespace

long sys_sendmsg(Call& c) { return send_message(c, c.b, c.c); }
long sys_recvmsg(Call& c) { return receive_message(c, c.b, c.c); }

long sys_sendto(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  OSP_ASSIGN_OR_ERRNO(const auto to, target_of(c, *socket, c.e, c.f));
  UnixMessage message;
  message.sender = caller(c);
  return send_all(c, *socket, Buffers({{Call::pointer<void>(c.b), c.c}}), std::move(message), to,
                  transfer(c, c.d, socket->send_timeout_ns));
}

long sys_recvfrom(Call& c) {
  OSP_ASSIGN_OR_ERRNO(const auto socket, socket_of(c));
  long restart = 0;
  const auto got =
      socket->receive(c.thread, most_of(*socket, c.c), transfer(c, c.d, socket->receive_timeout_ns), restart);
  if (!got) return restart != 0 ? restart : -got.error().code;
  if (const long bad = scatter(Buffers({{Call::pointer<void>(c.b), c.c}}), got->message.data); bad < 0) return bad;
  if (c.e != 0) {
    const long put =
        got->message.from.is_unnamed() ? (linux::put(c.f, 0) ? 0 : -EFAULT) : put_address(c.e, c.f, got->message.from);
    if (put != 0) return put;
  }
  return static_cast<long>((c.d & MSG_TRUNC) != 0 ? got->whole : got->message.data.size());
}

long sys_sendmmsg(Call& c) {
  const auto count = std::min<uint64_t>(static_cast<uint32_t>(c.c), 1024);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = c.b + i * sizeof(mmsghdr);
    const long sent = send_message(c, at, c.d);
    if (sent < 0) return i > 0 ? static_cast<long>(i) : sent;
    if (!linux::put(at + offsetof(mmsghdr, msg_len), static_cast<unsigned>(sent))) return -EFAULT;
  }
  return static_cast<long>(count);
}

// The time is looked at between messages only: recvmmsg(2), "BUGS".
long sys_recvmmsg(Call& c) {
  timespec timeout = {};
  if (c.e != 0 && !linux::get(c.e, timeout)) return -EFAULT;
  const uint64_t deadline = c.e == 0 ? 0 : linux::host_deadline(c, CLOCK_MONOTONIC, timeout, false);
  const auto count = std::min<uint64_t>(static_cast<uint32_t>(c.c), 1024);
  uint64_t flags = c.d;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = c.b + i * sizeof(mmsghdr);
    const long got = receive_message(c, at, flags & ~uint64_t{MSG_WAITFORONE});
    if (got < 0) return i > 0 ? static_cast<long>(i) : got;
    if (!linux::put(at + offsetof(mmsghdr, msg_len), static_cast<unsigned>(got))) return -EFAULT;
    if ((flags & MSG_WAITFORONE) != 0) flags |= MSG_DONTWAIT;
    if (deadline != 0 && task::host_now_ns() >= deadline) return static_cast<long>(i + 1);
  }
  return static_cast<long>(count);
}

}  // namespace osp::native
