#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pip/session_server.h"
#include "pip/stream_socket.h"

namespace osp::pipd {

// pipd's event loop: one thread, epoll, all connections into one SessionServer.
class Loop {
 public:
  // `server` is the caller's. EMFILE, ENOMEM.
  static Result<std::unique_ptr<Loop>> create(pip::SessionServer& server);

  Result<void> add_listener(pip::HostFd listener);
  // Serves until SIGTERM or SIGINT.
  Result<void> run();
  // The clock that sessions are timed by: seconds, steady.
  static uint64_t now_s();

 private:
  struct Connection {
    pip::HostFd fd;
    uint64_t id = 0;
    std::string out{};
    size_t out_sent = 0;
    uint32_t watched = 0;  // epoll events
    bool closing = false;  // after `out` is sent
  };

  explicit Loop(pip::SessionServer& server) : server_(server) {}

  Result<void> watch(int fd, uint32_t events, int operation);
  Result<bool> serve_one(int fd, uint32_t events);
  void accept_all(int listener);
  void serve(Connection& connection, uint32_t events);
  void receive(Connection& connection);
  void send(Connection& connection);
  void adjust(Connection& connection);
  void close(int fd);

  pip::SessionServer& server_;
  pip::HostFd epoll_;
  pip::HostFd signals_;
  std::vector<pip::HostFd> listeners_;
  std::map<int, Connection> connections_;
};

}  // namespace osp::pipd
