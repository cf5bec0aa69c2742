#pragma once

#include <memory>
#include <vector>

#include "pip/udp/datagram_port.h"
#include "pip/udp/server.h"

namespace osp::pip::udp {

// A Server with its socket, for an event loop.
class ServerSocket {
 public:
  // The first two are the caller's. As DatagramPort::create().
  static Result<std::unique_ptr<ServerSocket>> create(SessionServer& server, const Doorkeeper& doorkeeper,
                                                      DatagramSocket socket);

  // To be watched for EPOLLIN, and then to be served.
  [[nodiscard]] int fd() const { return port_->fd(); }
  void serve();
  // As Server's.
  void take_output(const std::vector<uint64_t>& ids);
  void look_after();

 private:
  ServerSocket(SessionServer& server, const Doorkeeper& doorkeeper, std::unique_ptr<DatagramPort> port)
      : server_(server, doorkeeper), port_(std::move(port)) {}
  void flush();

  Server server_;
  std::unique_ptr<DatagramPort> port_;
};

}  // namespace osp::pip::udp
