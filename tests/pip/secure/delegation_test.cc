#include "pip/secure/delegation.h"

#include <gtest/gtest.h>

namespace osp::pip {
namespace {

constexpr int64_t now_s = 1'800'000'000, later_s = now_s + 3600;

struct DelegationTest : testing::Test {
  Identity owner = Identity::random(), anna = Identity::random(), bert = Identity::random();
  PublicKey server = Identity::random().key();

  DelegationChain to_anna(DelegationChain::Wish wish) {
    wish.to = anna.key();
    auto chain = DelegationChain::begin(owner, wish);
    EXPECT_TRUE(chain);
    return *chain;
  }
  DelegationChain::Wish wish(std::string path, bool may_write, int64_t until = later_s, uint8_t more = 0) {
    return {.to = bert.key(),
            .server = {},
            .path = std::move(path),
            .may_write = may_write,
            .until_s = until,
            .more = more};
  }
  int refusal_of(const DelegationChain& chain, int64_t at_s = now_s) {
    const auto granted = chain.grant(server, at_s, {});
    return granted ? 0 : granted.error().code;
  }
};

TEST_F(DelegationTest, GivesWhatItSays) {
  const auto chain = to_anna(wish("home/me", true));
  EXPECT_EQ(chain.root(), owner.key());
  EXPECT_EQ(chain.holder(), anna.key());
  const auto granted = chain.grant(server, now_s, {});
  ASSERT_TRUE(granted);
  EXPECT_EQ(*granted, (Grant{.path = "home/me", .may_write = true}));
}

TEST_F(DelegationTest, Expires) {
  EXPECT_EQ(refusal_of(to_anna(wish("", true, now_s + 1))), 0);
  EXPECT_EQ(refusal_of(to_anna(wish("", true, now_s))), EKEYEXPIRED);
}

TEST_F(DelegationTest, IsForItsServer) {
  auto only = wish("", true);
  only.server = server;
  EXPECT_EQ(refusal_of(to_anna(only)), 0);
  only.server = bert.key();
  EXPECT_EQ(refusal_of(to_anna(only)), EACCES);
}

TEST_F(DelegationTest, CanOnlyNarrow) {
  const auto chain = to_anna(wish("a/b", false, later_s, 2));
  const auto extended = [&](const DelegationChain::Wish& wanted) {
    const auto longer = DelegationChain::extend(chain, anna, wanted);
    return longer ? 0 : longer.error().code;
  };
  EXPECT_EQ(extended(wish("a/b", false, later_s, 1)), 0);
  EXPECT_EQ(extended(wish("a/b/c", false, now_s, 0)), 0);
  EXPECT_EQ(extended(wish("a", false)), EPERM);
  EXPECT_EQ(extended(wish("a/bc", false)), EPERM);
  EXPECT_EQ(extended(wish("", false)), EPERM);
  EXPECT_EQ(extended(wish("a/b", true)), EPERM);
  EXPECT_EQ(extended(wish("a/b", false, later_s + 1)), EPERM);
  EXPECT_EQ(extended(wish("a/b", false, later_s, 2)), EPERM);
  EXPECT_EQ(DelegationChain::extend(chain, bert, wish("a/b", false)).error().code, EKEYREJECTED);
  EXPECT_EQ(extended(wish("a/b/../..", false)), EINVAL);
}

TEST_F(DelegationTest, OneThatMayNotBePassedOnIsNot) {
  EXPECT_EQ(DelegationChain::extend(to_anna(wish("", true)), anna, wish("", false)).error().code, EPERM);
}

// Somebody signs what extend() would refuse to.
TEST_F(DelegationTest, AWiderLinkIsNoticedWhereItIsRead) {
  const auto narrow = to_anna(wish("a", false, later_s, 1));
  const auto wide = DelegationChain::begin(anna, wish("", true, later_s + 1));
  std::string forged = narrow.encode() + wide->encode().substr(1);
  forged[0] = 2;
  EXPECT_EQ(DelegationChain::decode(forged).error().code, EPERM);
}

TEST_F(DelegationTest, EachChangedByteIsNoticed) {
  auto only = wish("a/b", false, later_s, 3);
  only.server = server;
  const std::string good = DelegationChain::extend(to_anna(only), anna, wish("a/b", false))->encode();
  ASSERT_TRUE(DelegationChain::decode(good));
  for (size_t i = 0; i < good.size(); ++i)
    for (const int bit : {0, 3, 7}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_FALSE(DelegationChain::decode(bad)) << i;
    }
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(DelegationChain::decode(good.substr(0, size)));
  EXPECT_FALSE(DelegationChain::decode(good + 'x'));
}

TEST_F(DelegationTest, RevokedBySerialOrByKey) {
  const auto chain = *DelegationChain::extend(to_anna(wish("", true, later_s, 1)), anna, wish("", true));
  for (const std::string& what : {chain.links()[0].serial_text(), chain.links()[1].serial_text(), owner.key().text(),
                                  anna.key().text(), bert.key().text()})
    EXPECT_EQ(chain.grant(server, now_s, {what}).error().code, EKEYREVOKED);
  EXPECT_TRUE(chain.grant(server, now_s, {server.text()}));
}

TEST_F(DelegationTest, TextIsReadBack) {
  const auto chain = to_anna(wish("a file", true));
  const auto read = DelegationChain::parse(chain.text() + "\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->encode(), chain.encode());
  EXPECT_FALSE(DelegationChain::parse("osp1-delegation:"));
  EXPECT_FALSE(DelegationChain::parse(chain.text().substr(1)));
}

TEST_F(DelegationTest, AChainHasAnEnd) {
  DelegationChain chain = *DelegationChain::begin(owner, {.to = owner.key(), .until_s = later_s, .more = 255});
  for (uint8_t i = 1; i < DelegationChain::most_links; ++i)
    chain = *DelegationChain::extend(chain, owner,
                                     {.to = owner.key(), .until_s = later_s, .more = static_cast<uint8_t>(255 - i)});
  EXPECT_TRUE(DelegationChain::decode(chain.encode()));
  EXPECT_EQ(DelegationChain::extend(chain, owner, {.to = owner.key(), .until_s = later_s}).error().code, EPERM);
}

}  // namespace
}  // namespace osp::pip
