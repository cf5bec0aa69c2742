#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "pip/host_tree.h"
#include "pip/host_watch.h"
#include "pip/listing.h"
#include "pip/session_client.h"
#include "pip/session_server.h"

// A server on a plain directory, and sessions with it over connections that the test carries.
namespace osp::pip {
constexpr uint32_t term_s = 10;
constexpr uint32_t root_fid = 1;

struct ServerTest : testing::Test {
  ServerTest() {
    char name[] = "/dev/shm/osp-peers-XXXXXX";
    base = mkdtemp(name);
    std::filesystem::create_directories(base + "/tree/d/e");
    std::filesystem::create_directory(base + "/state");
    start();
  }
  ~ServerTest() override { std::filesystem::remove_all(base); }

  void start() {
    tree = std::move(*HostTree::create(base + "/tree", {.special_files = false, .name = "tree"}));
    watch = std::move(*HostWatch::create(base + "/tree"));
    journals = std::make_unique<FileJournalStore>(base + "/state");
    server = std::move(*SessionServer::create(*tree, *journals, {.lease_term_s = term_s, .watch = watch.get()}, now_s));
  }

  std::string base;
  uint64_t now_s = 100;
  std::unique_ptr<HostTree> tree;
  std::unique_ptr<HostWatch> watch;
  std::unique_ptr<FileJournalStore> journals;
  std::unique_ptr<SessionServer> server;
};

struct Peer {
  explicit Peer(ServerTest& of) : test(of) {
    connect();
    EXPECT_EQ(ask({Tattach{.fid = root_fid, .afid = no_fid}}), 0);
  }
  void connect(bool is_confirmed = true) {
    id = test.server->connect({}, is_confirmed);
    client.connected(out);
    carry();
  }
  void carry() {
    std::string answers = std::exchange(late, {});
    if (!out.empty()) {
      EXPECT_TRUE(test.server->receive(id, std::exchange(out, {}), answers, test.now_s));
    }
    test.server->take_output(id, answers);
    if (!answers.empty()) {
      EXPECT_TRUE(client.receive(answers, out));
    }
  }
  void cut() {
    test.server->disconnect(id, test.now_s);
    client.disconnected();
    out.clear();
  }
  // The first error, 0, or -1: it is not answered.
  int ask(const std::vector<Message>& messages) {
    tag = *client.submit(messages, 0, out);
    return look();
  }
  int look() {
    carry();
    answer = client.take(tag);
    if (!answer) return -1;
    for (const Message& reply : answer->replies)
      if (const auto* error = std::get_if<Rerror>(&reply)) return static_cast<int>(error->number);
    return 0;
  }
  std::vector<ListedDirectory> list(std::string_view path, uint16_t depth = 1, uint32_t count = 65536) {
    EXPECT_EQ(ask({Tlist{.fid = root_fid, .path = path, .depth = depth, .count = count}}), 0);
    const auto* listed = std::get_if<Rlist>(&answer->replies.at(0));
    return listed != nullptr ? unpack_listing(listed->dat).value_or(std::vector<ListedDirectory>())
                             : std::vector<ListedDirectory>();
  }
  int make(std::string_view path) {
    return ask({Tcreate{.fid = root_fid, .name = path, .perm = S_IFDIR | 0755, .nfid = no_fid}});
  }

  ServerTest& test;
  SessionClient client{{}};
  uint64_t id = 0;
  std::string out, late;
  uint64_t tag = 0;
  std::optional<Answer> answer;
};

}  // namespace osp::pip
