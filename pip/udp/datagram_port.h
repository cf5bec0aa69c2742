#pragma once

#include <cstdint>
#include <memory>

#include "pip/udp/datagram_socket.h"

namespace osp::pip::udp {

// A socket and a clock behind one fd, which is readable (poll(2), epoll(7)) when there is something to do.
class DatagramPort {
 public:
  // EMFILE, ENOMEM.
  static Result<std::unique_ptr<DatagramPort>> create(DatagramSocket socket);

  [[nodiscard]] int fd() const { return epoll_.get(); }
  [[nodiscard]] DatagramSocket& socket() { return socket_; }
  // Another socket in its place.
  Result<void> change(DatagramSocket socket);
  // To be called before anything else when fd() is readable.
  void begin();
  // It is readable at `deadline_us` of now_us(), and, if `is_full`, when the socket takes more.
  void rest(int64_t deadline_us, bool is_full);
  // CLOCK_MONOTONIC, microseconds.
  static int64_t now_us();

 private:
  explicit DatagramPort(DatagramSocket socket) : socket_(std::move(socket)) {}
  Result<void> watch(int fd, uint32_t events, int operation);

  HostFd epoll_, timer_;
  DatagramSocket socket_;
  bool is_full_ = false;
};

}  // namespace osp::pip::udp
