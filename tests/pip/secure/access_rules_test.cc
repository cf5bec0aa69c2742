#include "pip/secure/access_rules.h"

#include <gtest/gtest.h>

namespace osp::pip {
namespace {

constexpr int64_t now_s = 1'800'000'000, later_s = now_s + 3600;

struct AccessRulesTest : testing::Test {
  Identity server = Identity::random(), anna = Identity::random(), bert = Identity::random();

  AccessRules rules(const std::string& text) {
    std::string why;
    auto parsed = AccessRules::parse(server.key(), text, why);
    EXPECT_TRUE(parsed) << why;
    return std::move(*parsed);
  }
  static Access access(const AccessRules& rules, const Identity& who, std::span<const DelegationChain> shown = {},
                       int64_t at_s = now_s) {
    return rules.access_of(*who.key().for_noise(), shown, at_s);
  }
  DelegationChain passed_on(const std::string& path, bool may_write, uint8_t more = 0) {
    return *DelegationChain::begin(
        anna, {.to = bert.key(), .server = {}, .path = path, .may_write = may_write, .until_s = later_s, .more = more});
  }
};

TEST_F(AccessRulesTest, OnlyWhoHasTheServersKeyWithoutRules) {
  const AccessRules none(server.key());
  EXPECT_TRUE(access(none, server).is_everything());
  EXPECT_TRUE(access(none, anna).is_nothing());
}

TEST_F(AccessRulesTest, LinesAddUp) {
  const auto both = rules("# who may\n\n" + anna.key().text() + " r /pub\n  " + anna.key().text() +
                          "\trw  /home/my own # mine\n" + bert.key().text() + " rw /");
  const Access hers = access(both, anna);
  EXPECT_TRUE(hers.may_read("pub/x") && !hers.may_write("pub/x") && !hers.may_name("pub"));
  EXPECT_TRUE(hers.may_write("home/my own/x") && hers.may_name("home/my own/x") && !hers.may_name("home/my own"));
  EXPECT_TRUE(hers.may_pass("") && hers.may_pass("home") && !hers.may_read("home") && !hers.may_pass("etc"));
  EXPECT_FALSE(hers.may_read("public"));
  EXPECT_TRUE(access(both, bert).is_everything());
}

TEST_F(AccessRulesTest, WrongLinesAreNamed) {
  const std::string key = anna.key().text();
  const std::pair<std::string, std::string> wrong[] = {{"someone rw /", "line 1"},
                                                       {"\n" + key + " w /", "line 2"},
                                                       {key + " rw", "path"},
                                                       {key + " rw home", "path"},
                                                       {key + " rw /a/../b", "plain path"},
                                                       {"revoked", "wants one"},
                                                       {"revoked a b", "wants one"},
                                                       {"revoked " + key.substr(0, 40), "wants one"}};
  for (const auto& [text, part] : wrong) {
    std::string why;
    EXPECT_EQ(AccessRules::parse(server.key(), text, why).error().code, EINVAL) << text;
    EXPECT_NE(why.find(part), std::string::npos) << why;
  }
}

TEST_F(AccessRulesTest, AHashWithinAWordIsNoComment) {
  EXPECT_EQ(access(rules(anna.key().text() + " r /a#b  # but this is"), anna),
            Access({{.path = "a#b", .may_write = false}}));
}

TEST_F(AccessRulesTest, AKeyIsRevoked) {
  EXPECT_TRUE(access(rules(anna.key().text() + " rw /\nrevoked " + anna.key().text()), anna).is_nothing());
  EXPECT_TRUE(access(rules("revoked " + server.key().text()), server).is_nothing());
}

TEST_F(AccessRulesTest, ADelegationGivesWhatItsGiverHas) {
  const auto hers = rules(anna.key().text() + " r /pub\n" + anna.key().text() + " rw /home/anna");
  const auto of = [&](const DelegationChain& chain) { return access(hers, bert, std::span(&chain, 1)); };
  EXPECT_TRUE(access(hers, bert).is_nothing());
  EXPECT_EQ(of(passed_on("home/anna/x", true)), Access({{.path = "home/anna/x", .may_write = true}}));
  EXPECT_EQ(of(passed_on("pub/y", true)), Access({{.path = "pub/y", .may_write = false}}));
  EXPECT_EQ(of(passed_on("", true)),
            Access({{.path = "pub", .may_write = false}, {.path = "home/anna", .may_write = true}}));
  EXPECT_TRUE(of(passed_on("etc", false)).is_nothing());
}

TEST_F(AccessRulesTest, ADelegationIsForItsHolderAndItsTime) {
  const auto hers = rules(anna.key().text() + " rw /");
  const DelegationChain chain = passed_on("a", true);
  EXPECT_TRUE(access(hers, Identity::random(), std::span(&chain, 1)).is_nothing());
  EXPECT_FALSE(access(hers, bert, std::span(&chain, 1)).is_nothing());
  EXPECT_TRUE(access(hers, bert, std::span(&chain, 1), later_s).is_nothing());
  const auto revoked = rules(anna.key().text() + " rw /\nrevoked " + chain.links()[0].serial_text());
  EXPECT_TRUE(access(revoked, bert, std::span(&chain, 1)).is_nothing());
}

// One whose giver has lost everything.
TEST_F(AccessRulesTest, ADelegationFallsWithItsGiver) {
  const DelegationChain chain = passed_on("a", true);
  EXPECT_TRUE(access(rules(anna.key().text() + " rw /\nrevoked " + anna.key().text()), bert, std::span(&chain, 1))
                  .is_nothing());
  EXPECT_TRUE(access(rules(""), bert, std::span(&chain, 1)).is_nothing());
}

TEST_F(AccessRulesTest, TheLineThatIsWrittenIsReadBack) {
  const Grant grant{.path = "a b/c", .may_write = true};
  EXPECT_EQ(access(rules(*AccessRules::line(anna.key(), grant)), anna), Access({grant}));
  for (const char* path : {"a#b", "#", "a\nb", " a", "a "})
    EXPECT_EQ(AccessRules::line(anna.key(), {.path = path}).error().code, EINVAL) << path;
}

}  // namespace
}  // namespace osp::pip
