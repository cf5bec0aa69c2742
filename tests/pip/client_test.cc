#include "pip/client.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "pip/host_tree.h"
#include "pip/session_server.h"

namespace osp::pip {
namespace {

// Client and server in one thread; counts the round trips that were waited for.
class DirectChannel final : public Channel {
 public:
  explicit DirectChannel(Server& tree, uint32_t msize = default_msize)
      : session_({.msize = msize}), server_(std::move(*SessionServer::create(tree, journals_, {}, 0))) {
    connection_ = server_->connect();
    session_.connected(out_);
    pass();
  }
  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) override {
    return session_.submit(messages, flags, out_);
  }
  Result<Answer> wait(uint64_t tag) override {
    if (auto answer = session_.take(tag)) return std::move(*answer);
    pass();
    ++round_trips;
    auto answer = session_.take(tag);
    return answer ? Result<Answer>(std::move(*answer)) : fail(EIO);
  }
  void forget(uint64_t tag) override { session_.forget(tag); }
  [[nodiscard]] uint32_t iounit() const override { return session_.iounit(); }
  unsigned round_trips = 0;

 private:
  void pass() {
    while (!out_.empty()) {
      std::string back;
      EXPECT_TRUE(server_->receive(connection_, std::exchange(out_, {}), back, 0));
      EXPECT_TRUE(session_.receive(back, out_));
    }
  }
  NoJournalStore journals_;
  SessionClient session_;
  std::unique_ptr<SessionServer> server_;
  uint64_t connection_ = 0;
  std::string out_;
};

class ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/osp-client-XXXXXX";
    root_ = mkdtemp(name);
    tree_ = std::move(*HostTree::create(root_, {}));
    use(default_msize);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void use(uint32_t msize) {
    client_.reset();
    channel_ = std::make_unique<DirectChannel>(*tree_, msize);
    client_ = std::move(*Client::create(*channel_, "test"));
    channel_->round_trips = 0;
  }
  static std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
  static std::string read_all(File& file, size_t at_once) {
    std::string all, buffer(at_once, '\0');
    while (const size_t size = file.read(all.size(), std::as_writable_bytes(std::span(buffer))).value_or(0))
      all += buffer.substr(0, size);
    return all;
  }

  std::string root_;
  std::unique_ptr<HostTree> tree_;
  std::unique_ptr<DirectChannel> channel_;
  std::unique_ptr<Client> client_;
};

TEST_F(ClientTest, OneRoundTripEach) {
  ASSERT_TRUE(client_->write_file("f", "contents", 0644));
  EXPECT_EQ(channel_->round_trips, 1U);
  EXPECT_EQ(*client_->read_file("f", 100), "contents");
  EXPECT_EQ(channel_->round_trips, 2U);
  EXPECT_EQ(client_->stat("f")->size, 8U);
  EXPECT_EQ(channel_->round_trips, 3U);
  EXPECT_EQ(client_->stat("none").error().code, ENOENT);
  EXPECT_TRUE(client_->make("d", {.mode = S_IFDIR | 0755}));
  EXPECT_TRUE(client_->rename("f", "d/g", 0));
  EXPECT_TRUE(client_->link("d/g", "h"));
  EXPECT_TRUE(client_->make("s", {.mode = S_IFLNK | 0777, .target = "d/g"}));
  EXPECT_EQ(*client_->read_link("s"), "d/g");
  EXPECT_TRUE(client_->remove("h", false));
  EXPECT_EQ(channel_->round_trips, 10U);
  const auto opened = client_->open("d/g", {.read = true});
  EXPECT_EQ(read_all(*opened->file, 100).substr(0, 8), "contents");
  EXPECT_LE(channel_->round_trips, 12U) << "the contents come with the open";
}

TEST_F(ClientTest, LinksAreReported) {
  std::filesystem::create_directory(root_ + "/d");
  std::filesystem::create_symlink("/else", root_ + "/d/l");
  const auto opened = client_->open("d/l/x", {.read = true});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().target, "/else");
  EXPECT_EQ(opened.error().consumed, 3U);
  std::ofstream(root_ + "/f") << "x";
  EXPECT_EQ(client_->rename("f", "d/l/x", 0).error().which, 1);
}

TEST_F(ClientTest, LargeFilesInSmallPackets) {
  use(8192);
  std::string contents;
  for (int i = 0; contents.size() < 300000; ++i) contents += std::to_string(i) + ",";
  const auto file =
      std::move(client_->open("big", {.read = true, .write = true, .create = true, .permissions = 0600})->file);
  EXPECT_EQ(file->write(0, bytes(contents)), contents.size());
  std::string back(contents.size() + 10, '\0');
  EXPECT_EQ(file->read(0, std::as_writable_bytes(std::span(back))), contents.size());
  EXPECT_EQ(back.substr(0, contents.size()), contents);
  EXPECT_TRUE(file->close());
  for (const size_t at_once : {1000UL, 5000UL, 100000UL})
    EXPECT_EQ(read_all(*client_->open("big", {.read = true})->file, at_once), contents) << at_once;
}

// The largest size of a file, for as long as this lives: what is written beyond it is short, and then EFBIG.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_ = signal(SIGXFSZ, SIG_IGN);
};

TEST_F(ClientTest, WhatIsWrittenShortIsNotTakenForWhole) {
  use(8192);
  const std::string text(20000, 'x');
  const auto log = std::move(client_->open("log", {.write = true, .create = true, .permissions = 0600})->file);
  const auto file = std::move(client_->open("file", {.write = true, .create = true, .permissions = 0600})->file);
  const SizeLimit limit(10000);
  EXPECT_EQ(log->append(bytes(text.substr(0, 6000))), 6000U);
  EXPECT_EQ(log->append(bytes(text.substr(0, 6000))).error().code, EFBIG);
  EXPECT_EQ(log->stat()->size, 10000U);
  EXPECT_EQ(file->write(0, bytes(text)), 10000U);
  EXPECT_EQ(file->write(12000, bytes("x")).error().code, EFBIG);
  const SizeLimit less(1000);
  EXPECT_EQ(client_->write_file("whole", text.substr(0, 2000), 0600).error().code, ENOSPC);
}

TEST_F(ClientTest, ReadAheadSeesOwnWrites) {
  ASSERT_TRUE(client_->write_file("f", "old contents", 0644));
  const auto reader = std::move(client_->open("f", {.read = true})->file);
  const auto writer = std::move(client_->open("f", {.write = true})->file);
  EXPECT_EQ(writer->write(0, bytes("new")), 3U);
  EXPECT_EQ(read_all(*reader, 4), "new contents");
  EXPECT_EQ(writer->write(12, bytes("+")), 1U);
  EXPECT_EQ(read_all(*reader, 100), "new contents+");
}

TEST_F(ClientTest, DirectoriesWithManyEntries) {
  for (int i = 0; i < 500; ++i) std::ofstream(root_ + "/file-" + std::to_string(i)) << i;
  use(8192);
  const auto directory = std::move(client_->open("", {.read = true, .directory = true})->file);
  for (int round = 0; round < 2; ++round) {
    std::map<std::string, uint64_t> seen;
    size_t count = 0;
    while (true) {
      const auto entries = *directory->read_directory(count, 37);
      if (entries.empty()) break;
      count += entries.size();
      for (const DirectoryEntry& entry : entries) seen[entry.name] = entry.attributes.size;
    }
    EXPECT_EQ(count, 500U);
    EXPECT_EQ(seen.size(), 500U);
    EXPECT_EQ(seen["file-123"], 3U);
  }
}

TEST_F(ClientTest, AttributesAndErrors) {
  ASSERT_TRUE(client_->write_file("f", "x", 0644));
  AttributeChange change;
  change.has_mode = true, change.mode = 0600;
  EXPECT_TRUE(client_->change("f", change));
  const auto file = std::move(client_->open("f", {.read = true, .write = true})->file);
  EXPECT_EQ(file->stat()->mode & 0777U, 0600U);
  change.has_size = true, change.size = 9;
  EXPECT_TRUE(file->change(change));
  EXPECT_EQ(client_->stat("f")->size, 9U);
  EXPECT_TRUE(file->commit());
  EXPECT_TRUE(client_->set_attribute("f", "user.a", "1", 0));
  EXPECT_EQ(client_->set_attribute("f", "user.a", "2", 1).error().code, EEXIST);
  EXPECT_EQ(*client_->get_attribute("f", "user.a"), "1");
  EXPECT_EQ(*client_->list_attributes("f"), std::vector<std::string>{"user.a"});
  EXPECT_TRUE(client_->remove_attribute("f", "user.a"));
  EXPECT_EQ(client_->get_attribute("f", "user.a").error().code, ENODATA);
  EXPECT_GT(client_->statfs()->blocks, 0U);
  EXPECT_EQ(client_->open("f", {.write = true, .create = true, .exclusive = true}).error().code, EEXIST);
  EXPECT_EQ(client_->open("a/../f", {.read = true}).error().code, EINVAL);
  EXPECT_EQ(client_->read_file("", 10).error().code, EISDIR);
  EXPECT_EQ(client_->remove("f", true).error().code, ENOTDIR);
  const auto log =
      std::move(client_->open("log", {.write = true, .append = true, .create = true, .permissions = 0600})->file);
  EXPECT_EQ(log->append(bytes("ab")), 2U);
  EXPECT_EQ(log->append(bytes("cd")), 4U);
}

}  // namespace
}  // namespace osp::pip
