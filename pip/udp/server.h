#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pip/secure/server_link.h"
#include "pip/udp/carrier.h"

namespace osp::pip::udp {

// All connections that come to one socket of a SessionServer, told apart by their numbers; without the socket:
// datagrams and times in (microseconds, steady), datagrams and a deadline out. What strangers can make it keep is
// bounded, and it sends them no more than three times what they sent. Nothing blocks but what is served; one thread at
// a time.
class Server {
 public:
  static constexpr size_t most_greeting = 256;  // connections whose peer has not been heard itself
  static constexpr size_t most_connections = 4096;
  static constexpr int64_t greeting_us = 10'000'000;       // in which it must be
  static constexpr int64_t most_silence_us = 900'000'000;  // then it is forgotten; a session lasts longer

  // The first two are the caller's.
  Server(SessionServer& server, const Doorkeeper& doorkeeper);
  ~Server();

  void receive(std::string_view datagram, const PeerAddress& from, int64_t now_us);
  // Appends the next datagram to be sent; false: there is none.
  bool next_datagram(int64_t now_us, std::string& out, PeerAddress& to);
  // When next_datagram() has something to do though nothing arrives; INT64_MAX: never.
  [[nodiscard]] int64_t deadline_us() const;
  // Takes what the SessionServer has for its connections `ids` (sorted), as far as they are here.
  void take_output(const std::vector<uint64_t>& ids, int64_t now_us);
  // To be called every few seconds, and when the doorkeeper's rules have changed.
  void look_after(int64_t now_us);
  [[nodiscard]] size_t connection_count() const { return peers_.size(); }

 private:
  struct Peer {
    Peer(Connection::Options options, std::unique_ptr<ServerLink> above, Server& server);
    std::unique_ptr<ServerLink> link;
    Carrier carrier;
    int64_t since_us = 0;
    int64_t due_us = INT64_MAX;  // as it is in due_
    int64_t closing_us = -1;     // since when, after what was said last; -1: it is not
  };
  struct Answer {
    std::string datagram;
    PeerAddress to;
  };
  using Peers = std::map<ConnectionId, std::unique_ptr<Peer>>;

  Peer* meet(const Head& head, std::string_view datagram, const PeerAddress& from, int64_t now_us);
  bool make_room();
  void serve(ConnectionId id, Peer& peer, int64_t now_us);
  void set_due(ConnectionId id, Peer& peer, int64_t at_us);
  void close(Peer& peer, Error why, int64_t now_us);
  [[nodiscard]] bool is_over(const Peer& peer, int64_t now_us) const;
  void forget(Peers::iterator at);
  [[nodiscard]] Token token_of(ConnectionId id) const;

  SessionServer& server_;
  const Doorkeeper& doorkeeper_;
  std::string secret_;  // tokens come from it, also those of before a restart
  Peers peers_;
  std::set<std::pair<int64_t, ConnectionId>> due_;
  std::vector<Answer> answers_;  // to those that it does not know
  int64_t now_us_ = 0;
};

}  // namespace osp::pip::udp
