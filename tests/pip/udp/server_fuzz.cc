#include <algorithm>
#include <cstdlib>

#include "pip/host_tree.h"
#include "pip/secure/access_rules.h"
#include "pip/udp/packet_keys.h"
#include "pip/udp/server.h"

// Whatever comes to a server's UDP socket, from strangers: datagrams as they are, and frames in datagrams that are
// sealed with the key that all know. It keeps no more than it may, and sends no more than three times what came.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace osp::pip;
  using namespace osp::pip::udp;
  static const Identity identity = Identity::random();
  static const Doorkeeper doorkeeper{.identity = identity, .rules = AccessRules(identity.key())};
  static const auto tree = HostTree::create("/", {.read_only = true});  // that no stranger gets to
  NoJournalStore journals;
  const auto sessions = SessionServer::create(**tree, journals, {}, 0);
  if (!sessions) abort();
  osp::pip::udp::Server server(**sessions, doorkeeper);
  size_t received = 0, sent = 0;
  int64_t now_us = 1;
  const auto give = [&](const std::string& datagram) {
    received += datagram.size();
    server.receive(datagram, "peer", now_us += 1000);
    std::string out;
    PeerAddress to;
    while (server.next_datagram(now_us, out, to)) {
    }
    sent += out.size();
  };
  Reader in(std::string_view(reinterpret_cast<const char*>(data), size));  // libFuzzer's bytes are chars to us
  for (uint64_t number = 0; in.ok() && !in.rest().empty(); ++number) {
    const uint8_t how = in.u8();
    const std::string part(in.rest().substr(0, in.u16()));
    in = Reader(in.rest().substr(std::min(part.size(), in.rest().size())));
    std::string plain = part, datagram;
    if ((how & 1U) != 0) plain.resize(std::max(plain.size(), base_datagram));
    PacketSealer(known_cipher())
        .seal({.kind = Kind::handshake, .id = uint64_t{how} >> 4U, .number = number}, plain, datagram);
    give((how & 2U) != 0 ? part : datagram);
    if ((how & 4U) != 0) now_us += int64_t{how} * 100'000;
  }
  if (sent > 3 * received || server.connection_count() > osp::pip::udp::Server::most_greeting) abort();
  return 0;
}
