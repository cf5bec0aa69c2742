#include "pip/secure/sealed_stream.h"

#include <gtest/gtest.h>

#include <random>

namespace osp::pip {
namespace {

struct SealedStreamTest : testing::Test {
  Identity server_identity = Identity::random(), client_identity = Identity::random();
  bool is_let_in = true;
  size_t shown = 0;
  std::string to_client, to_server;  // on the wire
  std::string at_client, at_server;  // what came out
  std::unique_ptr<SealedClient> client;
  std::unique_ptr<SealedServer> server;

  void make(std::optional<PublicKey> known, std::vector<DelegationChain> delegations = {}) {
    client = std::make_unique<SealedClient>(
        SealedClient::Options{.identity = client_identity, .server = known, .delegations = std::move(delegations)});
    server = std::make_unique<SealedServer>(server_identity, [this](const noise::Key& peer, auto chains) {
      EXPECT_EQ(peer, *client_identity.key().for_noise());
      shown = chains.size();
      return is_let_in ? Access::everything() : Access();
    });
  }
  Result<void> carry() {
    while (!to_server.empty() || !to_client.empty()) {
      if (!to_server.empty()) OSP_TRY(server->receive(std::exchange(to_server, {}), at_server, to_client));
      if (!to_client.empty()) OSP_TRY(client->receive(std::exchange(to_client, {}), at_client, to_server));
    }
    return {};
  }
  // What the client is told.
  int refusal() {
    Result<void> told;
    while (told && (!to_server.empty() || !to_client.empty())) {
      if (!to_server.empty()) (void)server->receive(std::exchange(to_server, {}), at_server, to_client);
      if (!to_client.empty()) told = client->receive(std::exchange(to_client, {}), at_client, to_server);
    }
    return told ? 0 : told.error().code;
  }
};

TEST_F(SealedStreamTest, BytesPassBothWays) {
  for (const bool is_known : {true, false}) {
    make(is_known ? std::optional(server_identity.key()) : std::nullopt);
    ASSERT_TRUE(client->begin("early ", to_server));
    ASSERT_TRUE(client->seal("soon ", to_server));
    ASSERT_TRUE(carry());
    EXPECT_EQ(client->state(), SealedClient::State::open);
    EXPECT_EQ(client->server(), server_identity.key());
    EXPECT_TRUE(server->is_confirmed());
    EXPECT_EQ(std::exchange(at_server, {}), "early soon ");
    const std::string much(300'000, 'm');
    ASSERT_TRUE(server->seal(much, to_client) && client->seal("x", to_server));
    EXPECT_EQ(to_client.find("mmmm"), std::string::npos);
    ASSERT_TRUE(carry());
    EXPECT_EQ(std::exchange(at_client, {}), much);
    EXPECT_EQ(std::exchange(at_server, {}), "x");
  }
}

TEST_F(SealedStreamTest, EarlyBytesComeWithTheFirstMessage) {
  make(server_identity.key());
  ASSERT_TRUE(client->begin("early", to_server));
  EXPECT_EQ(to_server.find("early"), std::string::npos);
  ASSERT_TRUE(server->receive(to_server, at_server, to_client));
  EXPECT_EQ(at_server, "early");
  EXPECT_FALSE(server->is_confirmed());
  ASSERT_TRUE(server->seal("answer", to_client));
  to_server.clear();
  ASSERT_TRUE(client->receive(to_client, at_client, to_server));
  EXPECT_EQ(at_client, "answer");
}

TEST_F(SealedStreamTest, TooMuchForTheFirstMessageComesLater) {
  make(server_identity.key());
  const std::string much(200'000, 'e');
  ASSERT_TRUE(client->begin(much, to_server));
  ASSERT_TRUE(carry());
  EXPECT_EQ(at_server, much);
}

TEST_F(SealedStreamTest, ByteByByteAndManyKeys) {
  make(server_identity.key());
  ASSERT_TRUE(client->begin("", to_server));
  std::string wanted;
  for (unsigned i = 0; i < 2 * RecordLayer::records_a_key + 10; ++i) {
    wanted += static_cast<char>('a' + i % 26);
    ASSERT_TRUE(client->seal(std::string_view(wanted).substr(i), to_server));
    while (!to_server.empty() || !to_client.empty()) {
      if (!to_server.empty()) {
        ASSERT_TRUE(server->receive(to_server.substr(0, 1), at_server, to_client));
        to_server.erase(0, 1);
      }
      ASSERT_TRUE(client->receive(std::exchange(to_client, {}), at_client, to_server));
    }
  }
  EXPECT_EQ(at_server, wanted);
}

TEST_F(SealedStreamTest, AnotherServerThanTheOneKnown) {
  make(Identity::random().key());
  ASSERT_TRUE(client->begin("secret", to_server));
  EXPECT_EQ(refusal(), EKEYREJECTED);
  EXPECT_EQ(at_server, "");
}

TEST_F(SealedStreamTest, WhoIsNotLetInIsTold) {
  for (const bool is_known : {true, false}) {
    is_let_in = false;
    make(is_known ? std::optional(server_identity.key()) : std::nullopt);
    ASSERT_TRUE(client->begin("early", to_server));
    EXPECT_EQ(refusal(), EACCES);
    EXPECT_FALSE(client->why().empty());
    EXPECT_EQ(at_server, "");
    to_server.clear();
    EXPECT_FALSE(server->receive("more", at_server, to_client));
  }
}

TEST_F(SealedStreamTest, DelegationsAreShown) {
  const Identity giver = Identity::random();
  const auto chain = *DelegationChain::begin(giver, {.to = client_identity.key(), .until_s = 1});
  for (const bool is_known : {true, false}) {
    make(is_known ? std::optional(server_identity.key()) : std::nullopt, {chain, chain});
    ASSERT_TRUE(client->begin("early", to_server));
    ASSERT_TRUE(carry());
    EXPECT_EQ(shown, 2U);
    EXPECT_EQ(std::exchange(at_server, {}), "early");
  }
}

TEST_F(SealedStreamTest, SomethingElseIsRefused) {
  for (const std::string& other :
       {std::string("\xcf\x80pS2I"), std::string("\xcf\x80pS1Z"), std::string("\xcf") + "GET / HTTP"}) {
    make({});
    EXPECT_EQ(server->receive(other, at_server, to_client).error().code, EPROTONOSUPPORT);
    EXPECT_FALSE(to_client.empty());
  }
  EXPECT_FALSE(SealedServer::begins_sealed(std::string_view("\0\0\0\x20", 4)));
  EXPECT_FALSE(SealedServer::begins_sealed(""));
}

// Whatever is changed on the way is noticed by one of both, and nothing that was not sent comes out.
TEST_F(SealedStreamTest, DamageIsNoticed) {
  std::mt19937 random(1);
  for (int round = 0; round < 400; ++round) {
    const bool is_known = round % 2 == 0;
    make(is_known ? std::optional(server_identity.key()) : std::nullopt);
    at_server.clear(), at_client.clear(), to_client.clear(), to_server.clear();
    ASSERT_TRUE(client->begin("question", to_server));
    ASSERT_TRUE(client->seal("question", to_server));
    size_t left = random() % 400;
    Result<void> seen;
    bool is_damaged = false, has_answered = false;
    for (int turn = 0; turn < 12 && seen; ++turn) {
      std::string& wire = turn % 2 == 0 ? to_server : to_client;
      if (!is_damaged && left < wire.size()) {
        wire[left] = static_cast<char>(wire[left] ^ (1 << random() % 8));
        is_damaged = true;
      } else if (!is_damaged) {
        left -= wire.size();
      }
      std::string bytes = std::exchange(wire, {});
      if (turn % 2 == 0) {
        seen = server->receive(bytes, at_server, to_client);
        const bool answers = seen && server->state() == SealedServer::State::open;
        if (answers && !std::exchange(has_answered, true)) {
          ASSERT_TRUE(server->seal("answer", to_client));
        }
      } else {
        seen = client->receive(bytes, at_client, to_server);
      }
    }
    EXPECT_TRUE(std::string("questionquestion").starts_with(at_server)) << at_server;
    EXPECT_TRUE(std::string("answer").starts_with(at_client));
    const bool is_noticed = !seen || at_client.empty() || at_server != "questionquestion";
    EXPECT_TRUE(is_noticed || !is_damaged) << round;
  }
}

TEST_F(SealedStreamTest, ARecordIsTakenOnce) {
  make(server_identity.key());
  ASSERT_TRUE(client->begin("", to_server));
  ASSERT_TRUE(carry());
  ASSERT_TRUE(client->seal("pay", to_server));
  const std::string again = to_server;
  ASSERT_TRUE(carry());
  EXPECT_EQ(server->receive(again, at_server, to_client).error().code, EBADMSG);
  EXPECT_EQ(at_server, "pay");
}

}  // namespace
}  // namespace osp::pip
