#include "pip/stream_wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "pip/udp/client_wire.h"

namespace osp::pip {

Result<std::unique_ptr<ClientWire>> ClientWire::connect(const Address& address, int timeout_ms) {
  if (address.is_udp) return udp::DatagramWire::create(address);
  OSP_ASSIGN(HostFd fd, connect_stream(address, timeout_ms));
  return std::make_unique<StreamWire>(std::move(fd));
}

short StreamWire::events() const { return static_cast<short>(out_sent_ < out_.size() ? POLLIN | POLLOUT : POLLIN); }

Result<void> StreamWire::begin(ClientLink& link) {
  link_ = &link;
  OSP_TRY(link.connected(out_));
  return send_queued(fd(), out_, out_sent_);
}

Result<bool> StreamWire::serve() {
  static std::array<char, 512 * 1024> buffer;  // one loop a process
  const ssize_t size = recv(fd(), buffer.data(), buffer.size(), 0);
  if (size == 0) return fail(ECONNRESET);
  if (size < 0 && errno != EAGAIN && errno != EINTR) return fail(errno);
  if (size > 0) OSP_TRY(link_->receive(std::string_view(buffer.data(), static_cast<size_t>(size)), out_));
  OSP_TRY(send_queued(fd(), out_, out_sent_));
  return size > 0;
}

Result<void> StreamWire::send(std::string& bytes) {
  out_ += bytes;
  bytes.clear();
  return send_queued(fd(), out_, out_sent_);
}

}  // namespace osp::pip
