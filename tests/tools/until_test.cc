#include "tools/until.h"

#include <gtest/gtest.h>

namespace osp::tools {
namespace {

constexpr int64_t now_s = 1'795'996'800;  // 2026-11-30T00:00:00Z

TEST(UntilTest, SpansBeginNow) {
  EXPECT_EQ(*parse_until("90s", now_s), now_s + 90);
  EXPECT_EQ(*parse_until("30m", now_s), now_s + 1800);
  EXPECT_EQ(*parse_until("12h", now_s), now_s + 43200);
  EXPECT_EQ(*parse_until("7d", now_s), now_s + 7 * 86400);
}

TEST(UntilTest, ASpanIsNoMoment) {
  EXPECT_EQ(*parse_span("2h"), 7200);
  EXPECT_EQ(parse_span("2027-01-01").error().code, EINVAL);
}

TEST(UntilTest, MomentsAreInUtc) {
  EXPECT_EQ(moment_text(now_s), "2026-11-30T00:00:00Z");
  EXPECT_EQ(*parse_until("2026-12-01", now_s), now_s + 86400);
  EXPECT_EQ(*parse_until("2026-11-30T18:30", now_s), now_s + 18 * 3600 + 1800);
  EXPECT_EQ(*parse_until("2026-11-30T00:00:01Z", now_s), now_s + 1);
}

TEST(UntilTest, WhatIsPastOrNoTimeIsRefused) {
  EXPECT_EQ(parse_until("2026-11-30", now_s).error().code, ERANGE);
  EXPECT_EQ(parse_until("99999999999999d", now_s).error().code, ERANGE);
  for (const char* bad :
       {"", "5", "h", "-5m", "0s", "5w", "5mm", "tomorrow", "2027-02-30", "2027-13-01", "2027-01-01x"})
    EXPECT_EQ(parse_until(bad, now_s).error().code, EINVAL) << bad;
}

}  // namespace
}  // namespace osp::tools
