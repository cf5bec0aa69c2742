#include "libosp/file/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace osp::file {
namespace {

using ::testing::ElementsAre;

const int one = 1, two = 2, three = 3;

RangeLock reading(const void* owner, int64_t first, int64_t last) { return {owner, false, first, last, 1}; }
RangeLock writing(const void* owner, int64_t first, int64_t last) { return {owner, true, first, last, 1}; }

std::vector<std::pair<int64_t, int64_t>> ranges(const LockTable& table) {
  std::vector<std::pair<int64_t, int64_t>> all;
  for (const RangeLock& lock : table.all()) all.emplace_back(lock.first, lock.last);
  return all;
}

using Range = std::pair<int64_t, int64_t>;

TEST(LockTable, ReadersShareAndWritersDoNot) {
  LockTable table;
  table.set(reading(&one, 0, 9));
  EXPECT_FALSE(table.conflict(reading(&two, 0, 9)));
  EXPECT_TRUE(table.conflict(writing(&two, 9, 9)));
  EXPECT_FALSE(table.conflict(writing(&two, 10, 20)));
  EXPECT_FALSE(table.conflict(writing(&one, 0, 9)));
  table.set(writing(&one, 5, 6));
  const auto found = table.conflict(reading(&two, 6, 100));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->first, 5);
  EXPECT_EQ(found->last, 6);
}

TEST(LockTable, ALockReplacesWhatItsOwnerHad) {
  LockTable table;
  table.set(reading(&one, 0, 99));
  table.set(writing(&one, 40, 49));
  EXPECT_THAT(ranges(table), ElementsAre(Range(0, 39), Range(40, 49), Range(50, 99)));
  table.set(reading(&one, 40, 49));
  EXPECT_THAT(ranges(table), ElementsAre(Range(0, 99)));
  table.unlock(&one, 10, 19);
  EXPECT_THAT(ranges(table), ElementsAre(Range(0, 9), Range(20, 99)));
  table.unlock(&two, 0, INT64_MAX);
  EXPECT_THAT(ranges(table), ElementsAre(Range(0, 9), Range(20, 99)));
}

TEST(LockTable, RangesWithoutAnEnd) {
  LockTable table;
  table.set(writing(&one, 10, INT64_MAX));
  table.unlock(&one, 20, INT64_MAX);
  EXPECT_THAT(ranges(table), ElementsAre(Range(10, 19)));
  table.set(writing(&one, 20, INT64_MAX));
  EXPECT_THAT(ranges(table), ElementsAre(Range(10, INT64_MAX)));
  EXPECT_TRUE(table.conflict(reading(&two, INT64_MAX, INT64_MAX)));
  table.unlock(&one, 0, INT64_MAX);
  EXPECT_TRUE(table.empty());
}

// Against a table with an entry for each byte.
TEST(LockTable, AgreesWithAPlainModel) {
  constexpr int64_t size = 24;
  std::mt19937 random(7);
  LockTable table;
  const void* owners[] = {&one, &two};
  std::vector<std::array<int, 2>> model(size);  // 0 none, 1 reading, 2 writing
  for (int i = 0; i < 20000; ++i) {
    const size_t who = random() % 2;
    const auto first = static_cast<int64_t>(random() % size);
    const int64_t last = first + static_cast<int64_t>(random() % static_cast<uint32_t>(size - first));
    const int kind = static_cast<int>(random() % 3);
    bool conflicts = false;
    for (int64_t at = first; at <= last; ++at) {
      const int other = model[static_cast<size_t>(at)][1 - who];
      conflicts = conflicts || other + kind > 2 + (kind == 0 || other == 0 ? 2 : 0);
    }
    const RangeLock lock = {owners[who], kind == 2, first, last, 0};
    if (kind == 0) {
      table.unlock(owners[who], first, last);
    } else {
      ASSERT_EQ(table.conflict(lock).has_value(), conflicts);
      if (conflicts) continue;
      table.set(lock);
    }
    for (int64_t at = first; at <= last; ++at) model[static_cast<size_t>(at)][who] = kind;
  }
}

TEST(LockTable, WholeFiles) {
  LockTable table;
  table.lock_whole(&one, false);
  EXPECT_TRUE(table.can_lock_whole(&two, false));
  EXPECT_FALSE(table.can_lock_whole(&two, true));
  EXPECT_TRUE(table.can_lock_whole(&one, true));
  table.lock_whole(&one, true);
  EXPECT_FALSE(table.can_lock_whole(&two, false));
  EXPECT_FALSE(table.conflict(writing(&two, 0, INT64_MAX)));
  EXPECT_TRUE(table.unlock_whole(&one));
  EXPECT_FALSE(table.unlock_whole(&one));
  EXPECT_TRUE(table.empty());
}

TEST(LockWaits, ACircleIsFound) {
  LockWaits waits;
  EXPECT_FALSE(waits.would_deadlock(&one, &two));
  waits.add(&one, &two);
  EXPECT_TRUE(waits.would_deadlock(&two, &one));
  EXPECT_FALSE(waits.would_deadlock(&three, &one));
  waits.add(&two, &three);
  EXPECT_TRUE(waits.would_deadlock(&three, &one));
  waits.remove(&one, &two);
  EXPECT_FALSE(waits.would_deadlock(&three, &one));
  EXPECT_TRUE(waits.would_deadlock(&three, &two));
}

}  // namespace
}  // namespace osp::file
