#include "pip/secure/identity.h"

#include <gtest/gtest.h>

#include "tests/pip/secure/hex.h"

namespace osp::pip {
namespace {

// RFC 8032, 7.1, test 1.
TEST(IdentityTest, PublishedVector) {
  const std::string seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
  const auto identity = Identity::parse("osp1-secret:" + base64(seed));
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->key().text(),
            "osp1:" + base64(unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")));
  const std::string signature = identity->sign("");
  EXPECT_EQ(signature,
            unhex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
                  "46bd25bf5f0595bbe24655141438e7a100b"));
  EXPECT_TRUE(identity->key().has_signed("", signature));
  EXPECT_FALSE(identity->key().has_signed("x", signature));
  EXPECT_FALSE(Identity::random().key().has_signed("", signature));
  EXPECT_FALSE(identity->key().has_signed("", signature.substr(1)));
}

TEST(IdentityTest, TextsAreReadBack) {
  const Identity identity = Identity::random();
  EXPECT_EQ(*PublicKey::parse(identity.key().text()), identity.key());
  EXPECT_EQ(Identity::parse(identity.secret_text())->key(), identity.key());
  EXPECT_EQ(identity.key().text().size(), 5U + 43U);
}

TEST(IdentityTest, WhatIsNoKeyIsRefused) {
  const std::string good = Identity::random().key().text();
  for (const std::string& bad : {std::string(), good.substr(1), good.substr(0, 40), good + "A", good + "\n",
                                 "osp1:" + base64(std::string(31, 'x')), "osp1:" + base64(std::string(32, '\0')),
                                 Identity::random().secret_text()})
    EXPECT_EQ(PublicKey::parse(bad).error().code, EINVAL) << bad;
  EXPECT_EQ(Identity::parse(good).error().code, EINVAL);
}

TEST(IdentityTest, TheHandshakesKeyIsTheSameOnBothWays) {
  for (int i = 0; i < 20; ++i) {
    const Identity identity = Identity::random();
    EXPECT_EQ(identity.for_noise().open, *identity.key().for_noise());
  }
}

TEST(IdentityTest, Base64HasOneText) {
  EXPECT_EQ(base64("\xff\xfe\xfd"), "__79");
  EXPECT_EQ(*from_base64("__79"), "\xff\xfe\xfd");
  for (const char* bad : {"_", "__7=", "__79 ", "//79", "__78A", "AB"}) EXPECT_FALSE(from_base64(bad)) << bad;
}

}  // namespace
}  // namespace osp::pip
