#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pip/secure/server_link.h"
#include "pip/stream_socket.h"
#include "pip/udp/server_socket.h"

namespace osp::pipd {

// pipd's event loop: one thread, epoll, all connections into one SessionServer.
class Loop {
 public:
  struct Options {
    bool in_clear = false;                  // whoever can connect may do everything, without sealing
    std::function<void()> each_while = {};  // called every few seconds, and after SIGHUP: the rules may have changed
    int watch = -1;  // an fd that is readable when the server is to look at changes, the caller's; -1: none
  };
  // The references are the caller's. EMFILE, ENOMEM.
  static Result<std::unique_ptr<Loop>> create(pip::SessionServer& server, const pip::Doorkeeper& doorkeeper,
                                              Options options);

  // Keeps the signals that it takes by an fd from this thread and those that it starts. create() does this, too.
  static sigset_t block_signals();

  Result<void> add_listener(pip::HostFd listener);
  Result<void> add_listener(pip::udp::DatagramSocket listener);
  // Serves until SIGTERM or SIGINT.
  Result<void> run();
  // The clock that sessions are timed by: seconds, steady.
  static uint64_t now_s();

 private:
  struct Connection {
    pip::HostFd fd;
    std::unique_ptr<pip::ServerLink> link{};
    std::string out{};
    size_t out_sent = 0;
    uint32_t watched = 0;  // epoll events
    uint64_t since_s = 0;  // when it came
    bool closing = false;  // after `out` is sent
  };

  Loop(pip::SessionServer& server, const pip::Doorkeeper& doorkeeper, Options options)
      : server_(server), doorkeeper_(doorkeeper), options_(std::move(options)) {}

  Result<void> watch(int fd, uint32_t events, int operation);
  Result<bool> serve_one(int fd, uint32_t events);
  bool take_signal();
  void look_after();
  [[nodiscard]] pip::Access access_in_clear(int fd) const;
  void accept_all(int listener);
  void listen(bool to_all);
  void serve(Connection& connection, uint32_t events);
  void receive(Connection& connection);
  void send(Connection& connection);
  void send_output();
  void adjust(Connection& connection);
  void close(int fd);

  pip::SessionServer& server_;
  const pip::Doorkeeper& doorkeeper_;
  Options options_;
  uint64_t looked_after_s_ = 0;
  uint64_t expired_s_ = 0;
  bool is_full_ = false;  // no fd is left: nobody is let in until a connection has closed
  pip::HostFd epoll_;
  pip::HostFd signals_;
  std::vector<pip::HostFd> listeners_;
  std::map<int, std::unique_ptr<pip::udp::ServerSocket>> datagrams_;
  std::map<int, Connection> connections_;
};

}  // namespace osp::pipd
