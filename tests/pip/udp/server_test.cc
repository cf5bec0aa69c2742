// A server's socket without the socket: sessions over datagrams, and strangers.
#include "pip/udp/server.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pip/host_tree.h"
#include "pip/secure/client_link.h"
#include "pip/udp/packet_keys.h"

namespace osp::pip::udp {
namespace {

constexpr uint32_t root_fid = 1;
constexpr int64_t second_us = 1'000'000;

struct UdpServerTest : testing::Test {
  std::string base = testing::TempDir() + "osp-udp-XXXXXX";
  std::unique_ptr<pip::Server> tree;
  NoJournalStore journals;
  std::unique_ptr<SessionServer> sessions;
  std::unique_ptr<Doorkeeper> doorkeeper;
  std::unique_ptr<udp::Server> server;
  int64_t now_us = second_us;
  size_t to_server = 0, to_client = 0;  // bytes

  // A client's end, at an address.
  struct Client {
    std::unique_ptr<ClientLink> link;
    std::unique_ptr<Carrier> carrier;
    PeerAddress at;
  };

  void SetUp() override {
    ASSERT_NE(mkdtemp(base.data()), nullptr);
    std::filesystem::create_directories(base + "/tree");
    std::ofstream(base + "/tree/file") << "contents";
    tree = std::move(*HostTree::create(base + "/tree", {}));
    sessions = std::move(*SessionServer::create(*tree, journals, {}, 0));
    const Identity identity = Identity::random();
    doorkeeper = std::make_unique<Doorkeeper>(Doorkeeper{.identity = identity, .rules = AccessRules(identity.key())});
    server = std::make_unique<udp::Server>(*sessions, *doorkeeper);
  }
  void TearDown() override {
    server.reset();
    sessions.reset();
    std::filesystem::remove_all(base);
  }

  void rules(const std::string& text) {
    std::string why;
    doorkeeper->rules = *AccessRules::parse(doorkeeper->identity.key(), text, why);
  }
  std::string key_of(const std::string& who) { return KeyStore(base + "/" + who).identity_or_new()->key().text(); }
  Client client(const std::string& who) {
    Address address;
    address.host = "host", address.is_udp = true;
    Client made;
    made.link = std::make_unique<ClientLink>(address, SessionClient::Options{}, KeyStore(base + "/" + who));
    made.at = who;
    return made;
  }
  void connect(Client& one) {
    one.link->disconnected();
    ClientLink& link = *one.link;
    one.carrier = std::make_unique<Carrier>(
        Connection::Options{.id = random_number()},
        Carrier::Above{[&link](std::string_view bytes, std::string& out) { return link.receive(bytes, out); },
                       [&link] { return link.handshake(); }});
    std::string out;
    ASSERT_TRUE(link.connected(out));
    one.carrier->send(out);
  }
  // For a while; what the client saw. `loses_sealed`: what the server seals does not arrive.
  Result<void> carry(Client& one, int64_t for_us = second_us / 2, bool loses_sealed = false) {
    Result<void> seen;
    for (const int64_t end_us = now_us + for_us; now_us < end_us && seen; now_us += 1000) {
      std::string datagram;
      PeerAddress to;
      for (; one.carrier->connection().next_datagram(now_us, datagram, to); datagram.clear()) {
        to_server += datagram.size();
        server->receive(datagram, one.at, now_us);
      }
      for (; server->next_datagram(now_us, datagram, to); datagram.clear()) {
        EXPECT_EQ(to, one.at);
        to_client += datagram.size();
        if (loses_sealed && read_head(datagram)->kind == Kind::sealed) continue;
        one.carrier->connection().receive(datagram, "", now_us);
        if (seen) seen = one.carrier->deliver();
      }
    }
    return seen;
  }
  std::string read_file(Client& one) {
    std::string out;
    const auto tag = one.link->submit({Tattach{.fid = root_fid, .afid = no_fid, .uname = "", .aname = ""},
                                       Topen{.fid = root_fid, .nfid = 2, .path = "file", .mode = "r"},
                                       Tread{.fid = 2, .offset = 0, .count = 99, .attrs = ""}, Tclunk{.fid = 2}},
                                      0, out);
    one.carrier->send(out);
    EXPECT_TRUE(carry(one));
    const auto answer = one.link->session().take(*tag);
    if (!answer || answer->replies.size() < 3) return "nothing";
    const auto* read = std::get_if<Rread>(&answer->replies[2]);
    return read == nullptr ? "no Rread" : std::string(read->dat);
  }
};

TEST_F(UdpServerTest, WhoHasAKeyThatIsLetInReads) {
  rules(key_of("anna") + " rw /");
  Client anna = client("anna");
  for (const bool is_known : {false, true}) {  // the server, to her
    connect(anna);
    if (!is_known) {
      EXPECT_EQ(read_file(anna), "contents");
    }
    EXPECT_TRUE(carry(anna));
    EXPECT_EQ(anna.link->session().state(), SessionClient::State::open);
  }
  EXPECT_EQ(sessions->session_count(), 1U);
}

TEST_F(UdpServerTest, OthersAreToldWhatWouldLetThemIn) {
  Client bert = client("bert");
  connect(bert);
  EXPECT_EQ(carry(bert).error().code, EACCES);
  EXPECT_NE(bert.link->why().find("osp key trust " + key_of("bert")), std::string::npos);
  EXPECT_EQ(sessions->session_count(), 0U);
  std::string datagram;
  PeerAddress to;
  while (server->next_datagram(now_us += 3 * second_us, datagram, to)) {
  }
  EXPECT_EQ(server->connection_count(), 0U);
}

TEST_F(UdpServerTest, AnotherServerUnderTheSameAddressIsNoticed) {
  rules(key_of("anna") + " rw /");
  Client anna = client("anna");
  connect(anna);
  ASSERT_EQ(read_file(anna), "contents");
  doorkeeper->identity = Identity::random();
  server = std::make_unique<udp::Server>(*sessions, *doorkeeper);
  connect(anna);
  EXPECT_EQ(carry(anna).error().code, EKEYREJECTED);
}

TEST_F(UdpServerTest, AfterARestartTheClientIsToldAndItsSessionGoesOn) {
  rules(key_of("anna") + " rw /");
  Client anna = client("anna");
  connect(anna);
  ASSERT_EQ(read_file(anna), "contents");
  server = std::make_unique<udp::Server>(*sessions, *doorkeeper);
  std::string out;
  anna.link->ping("", out);
  anna.carrier->send(out);
  EXPECT_TRUE(carry(anna));
  ASSERT_TRUE(anna.carrier->connection().broken());
  const std::string token = anna.link->session().token();
  connect(anna);
  EXPECT_TRUE(carry(anna, 10'000));
  EXPECT_EQ(anna.link->session().token(), token);
  EXPECT_EQ(anna.link->session().state(), SessionClient::State::open);
}

TEST_F(UdpServerTest, ARestartInTheMidstOfTheHandshakeIsNoticedAtOnce) {
  rules(key_of("anna") + " rw /");
  Client anna = client("anna");
  for (const bool is_known : {false, true}) {  // the server, to her: then the handshake is shorter
    SCOPED_TRACE(is_known);
    connect(anna);
    while (!anna.carrier->connection().has_keys()) ASSERT_TRUE(carry(anna, 1, is_known));
    server = std::make_unique<udp::Server>(*sessions, *doorkeeper);
    EXPECT_TRUE(carry(anna));
    ASSERT_TRUE(anna.carrier->connection().broken());
    EXPECT_EQ(anna.carrier->connection().broken()->code, ECONNRESET);
    connect(anna);
    EXPECT_TRUE(carry(anna));
    EXPECT_EQ(anna.link->session().state(), SessionClient::State::open);
  }
}

TEST_F(UdpServerTest, ARevokedKeyIsSentAway) {
  rules(key_of("anna") + " rw /");
  Client anna = client("anna");
  connect(anna);
  ASSERT_EQ(read_file(anna), "contents");
  rules("");
  server->look_after(now_us);
  EXPECT_TRUE(carry(anna, 2 * second_us));
  EXPECT_TRUE(anna.carrier->connection().broken());
  EXPECT_EQ(server->connection_count(), 0U);
}

TEST_F(UdpServerTest, AMessageThatIsSentAgainByOthersOpensNothing) {
  rules(key_of("anna") + " rw /");
  Client anna = client("anna");
  connect(anna);
  ASSERT_EQ(read_file(anna), "contents");
  connect(anna);
  std::string first;
  PeerAddress to;
  ASSERT_TRUE(anna.carrier->connection().next_datagram(now_us, first, to));
  EXPECT_TRUE(carry(anna));
  udp::Server other(*sessions, *doorkeeper);  // that has not seen it
  std::string answers;
  other.receive(first, "thief", now_us);
  for (int i = 0; i < 15'000; ++i)
    while (other.next_datagram(now_us += 1000, answers, to)) EXPECT_EQ(to, "thief");
  EXPECT_LE(answers.size(), 3 * first.size());
  EXPECT_EQ(sessions->session_count(), 1U);
  EXPECT_EQ(other.connection_count(), 0U);
}

TEST_F(UdpServerTest, StrangersCannotFillIt) {
  for (uint64_t id = 1; id < 1000; ++id) {
    std::string datagram, plain;
    put_frame({.type = FrameType::handshake, .value = 0, .bytes = "x"}, plain);
    plain.resize(base_datagram);
    PacketSealer(known_cipher()).seal({.kind = Kind::handshake, .id = id, .number = 0}, plain, datagram);
    server->receive(datagram, "stranger", now_us);
  }
  EXPECT_EQ(server->connection_count(), udp::Server::most_greeting);
  server->receive(std::string(40, '\xd1'), "stranger", now_us);  // too short to begin anything
  EXPECT_EQ(server->connection_count(), udp::Server::most_greeting);
  server->look_after(now_us + 11 * second_us);
  EXPECT_EQ(server->connection_count(), 0U);
}

}  // namespace
}  // namespace osp::pip::udp
