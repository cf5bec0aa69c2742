#include "pip/udp/server.h"

#include <sodium.h>

#include <algorithm>

#include "base/log.h"

namespace osp::pip::udp {
namespace {

constexpr size_t most_answers = 64;
constexpr size_t most_unsent = 8U << 20;  // bytes for a client that does not take them: nothing is taken from it either
constexpr int64_t closing_us_most = 1'000'000;
constexpr uint64_t second_us = 1'000'000;

const unsigned char* raw(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// From the server's own key, so that it is the same after a restart, and says nothing about the key.
std::string secret_of(const Identity& identity) {
  const noise::KeyPair pair = identity.for_noise();
  const std::string_view key(reinterpret_cast<const char*>(pair.secret.data()), pair.secret.size());
  constexpr std::string_view purpose = "osprey udp tokens 1";
  std::string secret(crypto_generichash_KEYBYTES, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(secret.data()), secret.size(), raw(purpose), purpose.size(),
                     raw(key), key.size());
  return secret;
}

}  // namespace

Server::Peer::Peer(Connection::Options options, std::unique_ptr<ServerLink> above, Server& server)
    : link(std::move(above)),
      carrier(std::move(options), {[this, &server](std::string_view bytes, std::string& out) {
                                     return link->receive(bytes, out,
                                                          static_cast<uint64_t>(server.now_us_) / second_us);
                                   },
                                   [this] { return link->handshake(); }}) {}

Server::Server(SessionServer& server, const Doorkeeper& doorkeeper)
    : server_(server), doorkeeper_(doorkeeper), secret_(secret_of(doorkeeper.identity)) {}

Server::~Server() {
  while (!peers_.empty()) forget(peers_.begin());
}

Token Server::token_of(ConnectionId id) const {
  std::string text;
  Writer(text).u64(id);
  Token token;
  crypto_generichash(token.data(), token.size(), raw(text), text.size(), raw(secret_), secret_.size());
  return token;
}

void Server::forget(Peers::iterator at) {
  due_.erase({at->second->due_us, at->first});
  at->second->link->disconnected(static_cast<uint64_t>(now_us_) / second_us);
  peers_.erase(at);
}

// False: there is none.
bool Server::make_room() {
  if (peers_.size() >= most_connections) return false;
  const auto is_greeting = [](const auto& one) { return !one.second->carrier.connection().is_confirmed(); };
  if (static_cast<size_t>(std::ranges::count_if(peers_, is_greeting)) < most_greeting) return true;
  auto oldest = peers_.end();
  for (auto at = peers_.begin(); at != peers_.end(); ++at) {
    if (is_greeting(*at) && (oldest == peers_.end() || at->second->since_us < oldest->second->since_us)) oldest = at;
  }
  forget(oldest);
  return true;
}

// Whose datagram it is; null: nobody's.
Server::Peer* Server::meet(const Head& head, std::string_view datagram, const PeerAddress& from, int64_t now_us) {
  if (const auto found = peers_.find(head.id); found != peers_.end()) {
    // Who seals has had an answer to its beginning; without one here, that was from before a restart.
    const bool is_forgotten = head.kind == Kind::sealed && !found->second->carrier.connection().has_begun();
    if (!is_forgotten) return found->second.get();
    forget(found);
  }
  if (head.kind == Kind::sealed && answers_.size() < most_answers && datagram.size() > unknown_size)
    answers_.push_back({unknown_datagram(head.id, token_of(head.id)), from});
  // What begins a connection is the first of its datagrams, or a later try, and a whole one.
  if (head.kind != Kind::handshake || datagram.size() < base_datagram || !make_room()) return nullptr;
  auto link = std::make_unique<ServerLink>(server_, doorkeeper_, Access(), Sealing::by_transport);
  const Connection::Options options{.role = Connection::Role::server,
                                    .id = head.id,
                                    .peer = from,
                                    .most_datagram = most_datagram,
                                    .token = token_of(head.id)};
  auto& peer = peers_[head.id];
  peer = std::make_unique<Peer>(options, std::move(link), *this);
  peer->since_us = now_us;
  return peer.get();
}

void Server::receive(std::string_view datagram, const PeerAddress& from, int64_t now_us) {
  now_us_ = now_us;
  const auto head = read_head(datagram);
  if (!head || head->kind == Kind::unknown) return;
  Peer* const peer = meet(*head, datagram, from, now_us);
  if (peer == nullptr) return;
  peer->carrier.connection().receive(datagram, from, now_us);
  serve(head->id, *peer, now_us);
}

void Server::serve(ConnectionId id, Peer& peer, int64_t now_us) {
  if (peer.closing_us < 0 && peer.carrier.connection().unacknowledged() < most_unsent)
    if (const auto delivered = peer.carrier.deliver(); !delivered) close(peer, delivered.error(), now_us);
  set_due(id, peer, now_us);
}

void Server::close(Peer& peer, Error why, int64_t now_us) {
  if (peer.closing_us >= 0) return;
  log::info("pipd", "closes a connection: {}", describe(why));
  peer.closing_us = now_us;
}

void Server::set_due(ConnectionId id, Peer& peer, int64_t at_us) {
  if (peer.due_us == at_us) return;
  due_.erase({peer.due_us, id});
  peer.due_us = at_us;
  if (at_us != INT64_MAX) due_.emplace(at_us, id);
}

int64_t Server::deadline_us() const {
  if (!answers_.empty()) return 0;
  return due_.empty() ? INT64_MAX : due_.begin()->first;
}

bool Server::next_datagram(int64_t now_us, std::string& out, PeerAddress& to) {
  now_us_ = now_us;
  if (!answers_.empty()) {
    out += answers_.back().datagram;
    to = answers_.back().to;
    answers_.pop_back();
    return true;
  }
  while (!due_.empty() && due_.begin()->first <= now_us) {
    const ConnectionId id = due_.begin()->second;
    const auto found = peers_.find(id);
    Peer& peer = *found->second;
    Connection& connection = peer.carrier.connection();
    const bool has_said_all = connection.unacknowledged() == 0 || now_us - peer.closing_us > closing_us_most;
    if (peer.closing_us >= 0 && has_said_all) connection.close(EACCES);
    if (connection.next_datagram(now_us, out, to)) return true;
    if (is_over(peer, now_us)) {
      forget(found);
      continue;
    }
    // It may have waited for what it sent to be taken.
    if (connection.ready() > 0 && peer.closing_us < 0 && connection.unacknowledged() < most_unsent) {
      serve(id, peer, now_us);
      continue;
    }
    // One microsecond later at least, whatever it says.
    set_due(id, peer, std::max(connection.deadline_us(), now_us + 1));
  }
  return false;
}

bool Server::is_over(const Peer& peer, int64_t now_us) const {
  const Connection& connection = peer.carrier.connection();
  if (connection.broken()) return true;
  if (peer.closing_us >= 0) return now_us - peer.closing_us > closing_us_most;
  if (!peer.link->is_settled()) return now_us - peer.since_us > greeting_us;
  return now_us - connection.heard_us() > most_silence_us;
}

void Server::take_output(const std::vector<uint64_t>& ids, int64_t now_us) {
  now_us_ = now_us;
  for (auto& [id, peer] : peers_) {
    if (peer->closing_us >= 0 || !std::ranges::binary_search(ids, peer->link->id())) continue;
    std::string out;
    if (const auto taken = peer->link->take_output(out); !taken) close(*peer, taken.error(), now_us);
    peer->carrier.send(out);
    set_due(id, *peer, now_us);
  }
}

void Server::look_after(int64_t now_us) {
  now_us_ = now_us;
  for (auto at = peers_.begin(); at != peers_.end();) {
    const auto here = at++;
    Peer& peer = *here->second;
    if (is_over(peer, now_us)) {
      forget(here);
    } else if (const auto allowed = peer.link->reconsider(); !allowed) {
      close(peer, allowed.error(), now_us);
      set_due(here->first, peer, now_us);
    }
  }
}

}  // namespace osp::pip::udp
