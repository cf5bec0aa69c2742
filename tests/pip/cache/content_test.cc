#include "pip/cache/content.h"

#include <gtest/gtest.h>

namespace osp::pip {
namespace {

TEST(Content, KnowsWhatWasReadAndNothingElse) {
  Content content(10);
  EXPECT_FALSE(content.read(0, 1));
  content.add(4, "efg");
  EXPECT_EQ(content.read(4, 3), "efg");
  EXPECT_EQ(content.read(5, 1), "f");
  EXPECT_FALSE(content.read(3, 2));
  EXPECT_FALSE(content.read(5, 3));
  EXPECT_EQ(content.read(10, 5), "") << "the end is known";
  content.add(2, "cdXYZhij");  // what is known already stays
  EXPECT_EQ(content.read(2, 100), "cdefghij");
  EXPECT_FALSE(content.is_whole());
  content.add(0, "ab");
  EXPECT_TRUE(content.is_whole());
  EXPECT_EQ(content.held(), 10U);
  EXPECT_EQ(content.read(0, UINT64_MAX), "abcdefghij");
}

TEST(Content, AnEmptyFileMustHaveBeenReadToo) {
  Content content(0);
  EXPECT_FALSE(content.is_whole());
  content.add(0, "");
  EXPECT_TRUE(content.is_whole());
  EXPECT_EQ(content.read(0, 10), "");
}

TEST(Content, WhatIsBehindTheEndIsNotKept) {
  Content content(3);
  content.add(0, "abcdef");
  EXPECT_EQ(content.held(), 3U);
  content.add(100, "x");
  EXPECT_EQ(content.held(), 3U);
}

}  // namespace
}  // namespace osp::pip
