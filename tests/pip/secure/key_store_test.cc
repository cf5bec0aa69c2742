#include "pip/secure/key_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace osp::pip {
namespace {

constexpr int64_t now_s = 1'800'000'000, later_s = now_s + 1;

struct KeyStoreTest : testing::Test {
  std::string base = testing::TempDir() + "osp-keys-XXXXXX";
  std::unique_ptr<KeyStore> keys;

  void SetUp() override {
    ASSERT_NE(mkdtemp(base.data()), nullptr);
    keys = std::make_unique<KeyStore>(base + "/config/osp");
  }
  void TearDown() override { std::filesystem::remove_all(base); }
  void write(const std::string& name, std::string_view text) { std::ofstream(keys->path(name)) << text; }
};

TEST_F(KeyStoreTest, AKeyIsMadeOnceAndForItsOwnerAlone) {
  EXPECT_EQ(keys->identity().error().code, ENOENT);
  const auto made = keys->identity_or_new();
  ASSERT_TRUE(made);
  EXPECT_EQ(keys->identity_or_new()->key(), made->key());
  struct stat about = {};
  ASSERT_EQ(stat(keys->path("key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat((base + "/config/osp").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0700U);
}

TEST_F(KeyStoreTest, AllWhoMakeAKeyAtOnceGetTheSame) {
  std::vector<PublicKey> seen(8);
  std::vector<std::thread> threads;
  for (PublicKey& one : seen) threads.emplace_back([&] { one = keys->identity_or_new()->key(); });
  for (std::thread& thread : threads) thread.join();
  for (const PublicKey& one : seen) EXPECT_EQ(one, seen[0]);
}

TEST_F(KeyStoreTest, AKeyThatOthersMayReadIsNotUsed) {
  ASSERT_TRUE(keys->identity_or_new());
  chmod(keys->path("key").c_str(), 0640);
  EXPECT_EQ(keys->identity().error().code, EACCES);
}

TEST_F(KeyStoreTest, ADamagedKeyIsNotReplaced) {
  ASSERT_TRUE(keys->identity_or_new());
  write("key", "osp1-secret:abc");
  EXPECT_EQ(keys->identity_or_new().error().code, EBADMSG);
}

TEST_F(KeyStoreTest, ServersAreRemembered) {
  const PublicKey one = Identity::random().key(), other = Identity::random().key();
  EXPECT_EQ(*keys->known_server("tcp:a:1"), std::nullopt);
  ASSERT_TRUE(keys->know_server("tcp:a:1", one) && keys->know_server("tcp:a:12", other));
  EXPECT_EQ(*keys->known_server("tcp:a:1"), one);
  EXPECT_EQ(*keys->known_server("tcp:a:12"), other);
  ASSERT_TRUE(keys->know_server("tcp:a:1", other));
  EXPECT_EQ(*keys->known_server("tcp:a:1"), other);
  write("known_servers", "tcp:a:1 nonsense\n");
  EXPECT_EQ(keys->known_server("tcp:a:1").error().code, EBADMSG);
}

TEST_F(KeyStoreTest, DelegationsToThisKey) {
  const Identity own = *keys->identity_or_new(), other = Identity::random();
  for (const char* path : {"a", "b"})
    ASSERT_TRUE(
        keys->keep_delegation(*DelegationChain::begin(other, {.to = own.key(), .path = path, .until_s = later_s})));
  ASSERT_TRUE(keys->keep_delegation(*DelegationChain::begin(own, {.to = other.key(), .until_s = later_s})));
  write("delegations/damaged", "osp1-delegation:abcd");
  EXPECT_EQ(keys->delegations(own.key(), {}, now_s, 16).size(), 2U);
  EXPECT_EQ(keys->delegations(own.key(), {}, later_s, 16).size(), 0U);
  const PublicKey one = Identity::random().key();
  ASSERT_TRUE(
      keys->keep_delegation(*DelegationChain::begin(other, {.to = own.key(), .server = one, .until_s = later_s})));
  EXPECT_EQ(keys->delegations(own.key(), one, now_s, 16).size(), 3U);
  EXPECT_EQ(keys->delegations(own.key(), other.key(), now_s, 16).size(), 2U);
  EXPECT_EQ(keys->delegations(own.key(), {}, now_s, 1).size(), 1U);
  EXPECT_EQ(keys->delegations(Identity::random().key(), {}, now_s, 16).size(), 0U);
}

TEST_F(KeyStoreTest, AFileThatIsTooLargeIsNotRead) {
  ASSERT_TRUE(keys->identity_or_new());
  write("known_servers", std::string((1U << 20) + 1, 'x'));
  EXPECT_EQ(keys->known_server("tcp:a:1").error().code, EFBIG);
}

}  // namespace
}  // namespace osp::pip
