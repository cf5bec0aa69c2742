#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "pip/host_tree.h"
#include "pip/secure/client_link.h"
#include "pip/secure/server_link.h"

namespace osp::pip {
namespace {

constexpr uint32_t root_fid = 1;

// A server with a plain directory, and clients of it whose connections are strings.
struct LinkTest : testing::Test {
  std::string base = testing::TempDir() + "osp-link-XXXXXX";
  std::unique_ptr<Server> tree;
  NoJournalStore journals;
  std::unique_ptr<SessionServer> server;
  std::unique_ptr<Doorkeeper> doorkeeper;

  struct Wire {
    std::unique_ptr<ServerLink> link;
    std::string to_server, to_client;
    std::string all_to_server;  // as somebody on the way has it
    std::string first_to_server;
  };

  void SetUp() override {
    ASSERT_NE(mkdtemp(base.data()), nullptr);
    std::filesystem::create_directories(base + "/tree/pub");
    std::ofstream(base + "/tree/pub/file") << "contents";
    std::ofstream(base + "/tree/private") << "mine";
    tree = std::move(*HostTree::create(base + "/tree", {}));
    server = std::move(*SessionServer::create(*tree, journals, {}, 0));
    const Identity identity = Identity::random();
    doorkeeper = std::make_unique<Doorkeeper>(Doorkeeper{.identity = identity, .rules = AccessRules(identity.key())});
  }
  void TearDown() override {
    server.reset();
    std::filesystem::remove_all(base);
  }

  KeyStore keys_of(const std::string& who) { return KeyStore(base + "/" + who); }
  std::string key_of(const std::string& who) { return keys_of(who).identity_or_new()->key().text(); }
  void rules(const std::string& text) {
    std::string why;
    doorkeeper->rules = *AccessRules::parse(doorkeeper->identity.key(), text, why);
  }
  std::unique_ptr<ClientLink> client(const std::string& who, bool in_clear = false) {
    Address address;
    address.host = "host", address.in_clear = in_clear;
    return std::make_unique<ClientLink>(address, SessionClient::Options{}, keys_of(who));
  }
  Wire connect(ClientLink& client, const Access& in_clear = {}) {
    Wire wire;
    wire.link = std::make_unique<ServerLink>(*server, *doorkeeper, in_clear);
    client.disconnected();
    EXPECT_TRUE(client.connected(wire.to_server));
    wire.first_to_server = wire.to_server;
    return wire;
  }
  // Until nobody says anything more; what the client saw.
  static Result<void> carry(ClientLink& client, Wire& wire) {
    Result<void> seen, served;
    while (seen && (!wire.to_server.empty() || !wire.to_client.empty())) {
      wire.all_to_server += wire.to_server;
      if (!wire.to_server.empty() && served)
        served = wire.link->receive(std::exchange(wire.to_server, {}), wire.to_client, 0);
      if (!wire.to_client.empty()) seen = client.receive(std::exchange(wire.to_client, {}), wire.to_server);
      if (!served && wire.to_client.empty()) break;
    }
    return seen ? served : seen;
  }
  // The errno of each message's reply; the groups' answers otherwise do not matter here.
  static std::vector<int> run(ClientLink& client, Wire& wire, const std::vector<Message>& messages) {
    const auto tag = client.submit(messages, flag_each, wire.to_server);
    EXPECT_TRUE(tag);
    EXPECT_TRUE(carry(client, wire));
    std::vector<int> errors;
    const auto answer = client.session().take(*tag);
    if (!answer) return {-1};
    for (const Message& reply : answer->replies) {
      const auto* error = std::get_if<Rerror>(&reply);
      errors.push_back(error == nullptr ? 0 : static_cast<int>(error->number));
    }
    return errors;
  }
  static std::vector<int> attach(ClientLink& client, Wire& wire) {
    return run(client, wire, {Tattach{.fid = root_fid, .afid = no_fid, .uname = "", .aname = ""}});
  }
};

TEST_F(LinkTest, WhoHasAKeyThatIsLetInReadsAndWrites) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  EXPECT_EQ(attach(*anna, wire), std::vector{0});
  EXPECT_EQ(run(*anna, wire,
                {Topen{.fid = root_fid, .nfid = 2, .path = "private", .mode = "rw"},
                 Tread{.fid = 2, .offset = 0, .count = 99, .attrs = ""}}),
            (std::vector{0, 0}));
  EXPECT_EQ(wire.all_to_server.find("private"), std::string::npos);
  EXPECT_TRUE(keys_of("anna").known_server("tcp:host:5640")->has_value());
}

TEST_F(LinkTest, OthersAreToldWhatWouldLetThemIn) {
  const auto bert = client("bert");
  Wire wire = connect(*bert);
  EXPECT_EQ(carry(*bert, wire).error().code, EACCES);
  EXPECT_NE(bert->why().find("osp key trust " + key_of("bert")), std::string::npos) << bert->why();
  EXPECT_EQ(server->session_count(), 0U);
}

TEST_F(LinkTest, InClearOnlyWhereThatIsAllowed) {
  const auto plain = client("anna", true);
  Wire refused = connect(*plain);
  EXPECT_EQ(carry(*plain, refused).error().code, EACCES);
  const auto again = client("anna", true);
  Wire wire = connect(*again, Access::everything());
  EXPECT_EQ(attach(*again, wire), std::vector{0});
}

TEST_F(LinkTest, AnotherServerUnderTheSameAddressIsNoticed) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  doorkeeper->identity = Identity::random();
  wire = connect(*anna);
  EXPECT_EQ(carry(*anna, wire).error().code, EKEYREJECTED);
  EXPECT_NE(anna->why().find("--server"), std::string::npos);
}

TEST_F(LinkTest, RightsEndAtTheirPath) {
  rules(key_of("anna") + " r /pub");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  const auto open = [](uint32_t fid, const char* path, const char* mode) {
    return Topen{.fid = root_fid, .nfid = fid, .path = path, .mode = mode};
  };
  EXPECT_EQ(run(*anna, wire,
                {open(2, "pub/file", "r"), open(3, "pub/file", "rw"), open(4, "private", "r"), open(5, "", "rd"),
                 open(no_fid, "private", "n"), open(6, "pub/file", "rt")}),
            (std::vector{0, EACCES, EACCES, EACCES, EACCES, EACCES}));
  EXPECT_EQ(
      run(*anna, wire,
          {Tcreate{.fid = root_fid, .name = "pub/new", .perm = 0644, .mode = "w", .nfid = 7, .device = 0, .target = ""},
           open(8, "pub/file", "n"), Tremove{.fid = 8, .flags = 0}, open(9, "pub/file", "n"),
           Trename{.fid = 9, .dfid = root_fid, .name = "pub/other", .flags = 0}, open(10, "private", "n"),
           Tlink{.fid = 10, .dfid = root_fid, .name = "pub/link"}}),
      (std::vector{EACCES, 0, EACCES, 0, EACCES, 0, EACCES}));
  // The access and modification time of a file that is open to be read.
  const std::string change =
      std::string("\0\0\0\x01", 4) + std::string("\0\0\x01\xff", 4) + std::string(4 + 4 + 8 + 8 + 8, '\0');
  EXPECT_EQ(run(*anna, wire, {Twrite{.fid = 2, .offset = 0, .dat = change, .attr = "stat"}}), std::vector{EACCES});
}

TEST_F(LinkTest, ASessionIsItsOwners) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  // Somebody else who is let in has got its token.
  std::string asked, answers;
  SessionClient({}).connected(asked);
  const Tsession theft{.csid = 1, .uname = "", .afid = no_fid, .token = anna->session().token(), .linger = 9};
  ASSERT_TRUE(encode_packet(theft, OptionSet::all(), default_msize, asked));
  const uint64_t other = server->connect({.owner = "other"});
  ASSERT_TRUE(server->receive(other, asked, answers, 0));
  FrameReader frames(default_msize);
  frames.feed(answers);
  Packet last;
  for (auto body = frames.next(); body && !body->empty(); body = frames.next())
    last = *decode_body(*body, OptionSet::all(), default_nmsgs);
  ASSERT_TRUE(std::holds_alternative<Rerror>(last.head)) << print(last);
  EXPECT_EQ(std::get<Rerror>(last.head).number, static_cast<uint32_t>(ESTALE));
  EXPECT_EQ(run(*anna, wire, {Topen{.fid = root_fid, .nfid = no_fid, .path = "private", .mode = "n"}}), std::vector{0});
}

TEST_F(LinkTest, AResumedSessionGoesOnInOneExchange) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  wire.link->disconnected(0);
  anna->disconnected();
  std::string nowhere;
  const auto tag = anna->submit({Topen{.fid = root_fid, .nfid = 5, .path = "private", .mode = "r"}}, 0, nowhere);
  ASSERT_TRUE(tag && nowhere.empty());
  wire = connect(*anna);
  ASSERT_TRUE(wire.link->receive(std::exchange(wire.to_server, {}), wire.to_client, 0));
  ASSERT_TRUE(anna->receive(std::exchange(wire.to_client, {}), wire.to_server));
  EXPECT_TRUE(anna->session().take(*tag).has_value());
  EXPECT_EQ(server->session_count(), 1U);
}

// Somebody on the way sends what it has seen again: it opens nothing, changes nothing, takes no session away.
TEST_F(LinkTest, WhatIsSentAgainDoesNothing) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire first = connect(*anna);
  ASSERT_EQ(attach(*anna, first), std::vector{0});
  first.link->disconnected(0);
  anna->disconnected();
  std::string nowhere;
  const auto tag = anna->submit(
      {Tcreate{.fid = root_fid, .name = "new", .perm = 0644, .mode = "w", .nfid = no_fid, .device = 0, .target = ""}},
      0, nowhere);
  Wire wire = connect(*anna);
  ASSERT_TRUE(carry(*anna, wire));
  ASSERT_TRUE(anna->session().take(*tag));
  ASSERT_TRUE(std::filesystem::remove(base + "/tree/new"));
  for (const std::string& seen : {first.all_to_server, wire.all_to_server, first.first_to_server, wire.first_to_server})
    for (int i = 0; i < 3; ++i) {
      ServerLink again(*server, *doorkeeper, {});
      std::string out;
      (void)again.receive(seen, out, 0);  // all of it: the second record is for keys that this handshake has not
      EXPECT_EQ(server->session_count(), 1U);
      EXPECT_FALSE(std::filesystem::exists(base + "/tree/new"));
      EXPECT_EQ(run(*anna, wire, {Topen{.fid = root_fid, .nfid = no_fid, .path = "private", .mode = "n"}}),
                std::vector{0});
      again.disconnected(0);
      EXPECT_EQ(run(*anna, wire, {Topen{.fid = root_fid, .nfid = no_fid, .path = "private", .mode = "n"}}),
                std::vector{0});
    }
}

// The first message of a connection is read when it is sent again; the answer of a group is all that there is to have.
TEST_F(LinkTest, AFirstMessageThatIsSentAgainIsAnsweredAgain) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  wire.link->disconnected(0);
  anna->disconnected();
  std::string nowhere;
  ASSERT_TRUE(anna->submit(
      {Tcreate{.fid = root_fid, .name = "new", .perm = 0644, .mode = "we", .nfid = no_fid, .device = 0, .target = ""}},
      0, nowhere));
  wire = connect(*anna);
  std::string out;
  for (int i = 0; i < 2; ++i) {
    ServerLink early(*server, *doorkeeper, {});
    ASSERT_TRUE(early.receive(wire.first_to_server, out, 0));
    EXPECT_TRUE(std::filesystem::exists(base + "/tree/new"));
    EXPECT_GT(out.size(), 200U);  // there was an answer
    out.clear();
    early.disconnected(0);
  }
  ASSERT_TRUE(carry(*anna, wire));
  EXPECT_EQ(server->session_count(), 1U);
}

// Rights that were taken back while the owner was away, and a server that was started again.
TEST_F(LinkTest, GroupsThatComeEarlyHaveTheRightsOfNow) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  FileJournalStore kept(base + "/journals");
  std::filesystem::create_directory(base + "/journals");
  server = std::move(*SessionServer::create(*tree, kept, {}, 0));
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  ASSERT_EQ(run(*anna, wire, {Topen{.fid = root_fid, .nfid = 2, .path = "private", .mode = "rw"}}), std::vector{0});
  rules(key_of("anna") + " r /pub");
  for (const bool is_restarted : {false, true}) {
    wire.link->disconnected(0);
    anna->disconnected();
    if (is_restarted) {
      server.reset();
      server = std::move(*SessionServer::create(*tree, kept, {}, 0));
    }
    std::string nowhere;
    const auto tag = anna->submit({Topen{.fid = root_fid, .nfid = no_fid, .path = "private", .mode = "r"},
                                   Twrite{.fid = 2, .offset = 0, .dat = "x", .attr = ""}},
                                  flag_each, nowhere);
    wire = connect(*anna);
    ASSERT_TRUE(wire.link->receive(std::exchange(wire.to_server, {}), wire.to_client, 0));
    ASSERT_TRUE(carry(*anna, wire));
    const auto answer = anna->session().take(*tag);
    ASSERT_TRUE(answer && answer->replies.size() == 2U);
    EXPECT_EQ(std::get<Rerror>(answer->replies[0]).number, static_cast<uint32_t>(EACCES));
    EXPECT_EQ(std::get<Rerror>(answer->replies[1]).number, static_cast<uint32_t>(ESTALE));
  }
  server.reset();
  std::ifstream in(base + "/tree/private");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "mine");
}

TEST_F(LinkTest, RightsThatComeBackFindTheFilesAsTheyWere) {
  rules(key_of("anna") + " rw /pub");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  ASSERT_EQ(run(*anna, wire, {Topen{.fid = root_fid, .nfid = 2, .path = "pub/file", .mode = "rw"}}), std::vector{0});
  rules("");
  EXPECT_EQ(wire.link->reconsider().error().code, EACCES);
  wire.link->disconnected(0);
  rules(key_of("anna") + " rw /pub");
  wire = connect(*anna);
  EXPECT_EQ(run(*anna, wire, {Twrite{.fid = 2, .offset = 0, .dat = "x", .attr = ""}}), std::vector{0});
}

// By their path before, be they moved away or removed.
TEST_F(LinkTest, FilesThatAreOpenAreJudgedByTheirPaths) {
  FileJournalStore kept(base + "/journals");
  std::filesystem::create_directory(base + "/journals");
  server = std::move(*SessionServer::create(*tree, kept, {}, 0));
  std::ofstream(base + "/tree/pub/two") << "2";
  const auto grants = key_of("anna") + " rw /pub\n" + key_of("bert") + " rw /";
  rules(grants);
  const auto anna = client("anna"), bert = client("bert");
  Wire hers = connect(*anna), his = connect(*bert);
  ASSERT_EQ(attach(*anna, hers), std::vector{0});
  ASSERT_EQ(attach(*bert, his), std::vector{0});
  const auto open = [](uint32_t fid, const char* path, const char* mode) {
    return Topen{.fid = root_fid, .nfid = fid, .path = path, .mode = mode};
  };
  const auto write = [](uint32_t fid) { return Twrite{.fid = fid, .offset = 0, .dat = "x", .attr = ""}; };
  ASSERT_EQ(run(*anna, hers, {open(2, "pub/file", "rw"), open(3, "pub/two", "rw")}), (std::vector{0, 0}));
  ASSERT_EQ(run(*bert, his,
                {open(4, "pub/file", "n"), Trename{.fid = 4, .dfid = root_fid, .name = "moved", .flags = 0},
                 open(5, "pub/two", "n"), Tremove{.fid = 5, .flags = 0}}),
            (std::vector{0, 0, 0, 0}));
  ASSERT_TRUE(hers.link->reconsider());
  EXPECT_EQ(run(*anna, hers, {write(2), write(3)}), (std::vector{ESTALE, 0}));
  rules(key_of("anna") + " r /");
  ASSERT_TRUE(hers.link->reconsider());
  EXPECT_EQ(run(*anna, hers, {write(3)}), std::vector{ESTALE});
  server.reset();
}

TEST_F(LinkTest, TheRightToOneFileIsEnoughToOpenIt) {
  rules(key_of("anna") + " rw /private");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  const auto create = [](const char* name, const char* mode) {
    return Tcreate{
        .fid = root_fid, .name = name, .perm = 0644, .mode = mode, .nfid = no_fid, .device = 0, .target = ""};
  };
  EXPECT_EQ(run(*anna, wire, {create("private", "wt"), create("private", "we"), create("other", "w")}),
            (std::vector{0, EACCES, EACCES}));
}

TEST_F(LinkTest, WhoIsRevokedLosesItsFilesAndItsConnection) {
  rules(key_of("anna") + " rw /");
  const auto anna = client("anna");
  Wire wire = connect(*anna);
  ASSERT_EQ(attach(*anna, wire), std::vector{0});
  ASSERT_EQ(run(*anna, wire,
                {Topen{.fid = root_fid, .nfid = 2, .path = "private", .mode = "rw"},
                 Topen{.fid = root_fid, .nfid = 3, .path = "pub/file", .mode = "r"}}),
            (std::vector{0, 0}));
  const auto write = Twrite{.fid = 2, .offset = 0, .dat = "x", .attr = ""};
  const auto read = [](uint32_t fid) { return Tread{.fid = fid, .offset = 0, .count = 9, .attrs = ""}; };
  rules(key_of("anna") + " r /pub");
  ASSERT_TRUE(wire.link->reconsider());
  EXPECT_EQ(run(*anna, wire, {write, read(2), read(3)}), (std::vector{ESTALE, ESTALE, 0}));
  rules("");
  EXPECT_EQ(wire.link->reconsider().error().code, EACCES);
}

TEST_F(LinkTest, ADelegationLetsIn) {
  const Identity anna = *keys_of("anna").identity_or_new(), bert = *keys_of("bert").identity_or_new();
  rules(anna.key().text() + " rw /");
  const auto chain = *DelegationChain::begin(
      anna, {.to = bert.key(), .path = "pub", .may_write = false, .until_s = std::time(nullptr) + 100});
  ASSERT_TRUE(keys_of("bert").keep_delegation(chain));
  const auto his = client("bert");
  Wire wire = connect(*his);
  ASSERT_EQ(attach(*his, wire), std::vector{0});
  EXPECT_EQ(run(*his, wire,
                {Topen{.fid = root_fid, .nfid = 2, .path = "pub/file", .mode = "r"},
                 Topen{.fid = root_fid, .nfid = 3, .path = "private", .mode = "r"}}),
            (std::vector{0, EACCES}));
}

}  // namespace
}  // namespace osp::pip
