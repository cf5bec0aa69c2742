#include "libosp/task/alarm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace osp::task {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Note final : public Alarm {
 public:
  Note(std::vector<int>& rung, int number) : rung_(rung), number_(number) {}
  void rings() override {
    rung_.push_back(number_);
    if (then) then();
  }
  std::function<void()> then;

 private:
  std::vector<int>& rung_;
  int number_;
};

TEST(Alarms, RingInTheOrderOfTheirTimes) {
  Alarms alarms;
  std::vector<int> rung;
  Note one(rung, 1), two(rung, 2), three(rung, 3);
  alarms.set(one, 30);
  alarms.set(two, 10);
  alarms.set(three, 20);
  EXPECT_EQ(alarms.next(), 10U);
  alarms.expire(9);
  EXPECT_THAT(rung, IsEmpty());
  alarms.expire(20);
  EXPECT_THAT(rung, ElementsAre(2, 3));
  EXPECT_EQ(alarms.next(), 30U);
}

TEST(Alarms, AreSetAnewAndCancelled) {
  Alarms alarms;
  std::vector<int> rung;
  Note one(rung, 1);
  alarms.set(one, 10);
  alarms.set(one, 20);
  alarms.expire(10);
  EXPECT_THAT(rung, IsEmpty());
  alarms.cancel(one);
  alarms.cancel(one);
  alarms.expire(100);
  EXPECT_THAT(rung, IsEmpty());
  EXPECT_EQ(alarms.next(), 0U);
}

TEST(Alarms, OneThatEndsRingsNoMore) {
  Alarms alarms;
  std::vector<int> rung;
  Note one(rung, 1);
  {
    Note two(rung, 2);
    alarms.set(two, 5);
    alarms.set(one, 10);
  }
  alarms.expire(10);
  EXPECT_THAT(rung, ElementsAre(1));
}

TEST(Alarms, MayBeSetWhileTheyRing) {
  Alarms alarms;
  std::vector<int> rung;
  Note one(rung, 1), two(rung, 2);
  one.then = [&] { alarms.set(one, 20), alarms.cancel(two); };
  alarms.set(one, 10);
  alarms.set(two, 11);
  alarms.expire(15);
  EXPECT_THAT(rung, ElementsAre(1));
  EXPECT_EQ(alarms.next(), 20U);
}

}  // namespace
}  // namespace osp::task
