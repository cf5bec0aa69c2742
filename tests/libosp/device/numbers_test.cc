#include "libosp/file/numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace osp::file {
namespace {

using ::testing::ElementsAre;

TEST(OwnNumbers, TheLowestFreeIsTaken) {
  OwnNumbers numbers;
  EXPECT_EQ(numbers.take(0, false), 0);
  EXPECT_EQ(numbers.take(0, false), 1);
  EXPECT_EQ(numbers.take(10, true), 10);
  EXPECT_EQ(numbers.take(0, false), 2);
  numbers.give_back(1);
  EXPECT_EQ(numbers.take(0, false), 1);
  EXPECT_EQ(numbers.take(10, false), 11);
  EXPECT_THAT(numbers.taken(), ElementsAre(0, 1, 2, 10, 11));
}

TEST(OwnNumbers, TheLimitHolds) {
  OwnNumbers numbers;
  numbers.set_limit(2);
  EXPECT_EQ(numbers.take(2, false), -EINVAL);
  EXPECT_EQ(numbers.take_at(2, false), -EBADF);
  EXPECT_EQ(numbers.take_at(-1, false), -EBADF);
  EXPECT_EQ(numbers.take(1, false), 1);
  EXPECT_EQ(numbers.take(0, false), 0);
  EXPECT_EQ(numbers.take(0, false), -EMFILE);
}

TEST(OwnNumbers, MarksBelongToTheNumberAsItIsTaken) {
  OwnNumbers numbers;
  numbers.take(0, true);
  EXPECT_TRUE(numbers.closes_on_exec(0));
  numbers.set_close_on_exec(0, false);
  EXPECT_FALSE(numbers.closes_on_exec(0));
  numbers.set_close_on_exec(0, true);
  numbers.give_back(0);
  EXPECT_FALSE(numbers.closes_on_exec(0));
  numbers.take_at(0, false);
  EXPECT_FALSE(numbers.closes_on_exec(0));
}

TEST(OwnNumbers, ACloneIsItsOwn) {
  OwnNumbers numbers;
  numbers.take(0, true);
  const auto other = numbers.clone();
  EXPECT_TRUE(other->closes_on_exec(0));
  EXPECT_EQ(other->take(0, false), 1);
  EXPECT_EQ(numbers.take(0, false), 1);
  other->give_back(0);
  EXPECT_TRUE(numbers.closes_on_exec(0));
}

}  // namespace
}  // namespace osp::file
