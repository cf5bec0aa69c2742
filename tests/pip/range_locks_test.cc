// Sets of locked ranges, beside a plain array of bytes.
#include "pip/range_locks.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace osp::pip {
namespace {

constexpr uint64_t bytes = 24;

struct Model {
  std::array<LockType, bytes> byte{};

  void set(const LockRange& range) {
    for (uint64_t i = range.first; i <= range.last; ++i) byte[i] = range.type;
  }
  [[nodiscard]] bool covers(const LockRange& range) const {
    for (uint64_t i = range.first; i <= range.last; ++i)
      if (byte[i] < range.type) return false;
    return true;
  }
  [[nodiscard]] bool conflicts(const LockRange& range) const {
    for (uint64_t i = range.first; i <= range.last; ++i)
      if (byte[i] != LockType::none && (byte[i] == LockType::exclusive || range.type == LockType::exclusive))
        return true;
    return false;
  }
};

struct Both {
  RangeLocks locks;
  Model model;
};

LockRange random_range(std::mt19937& random, int least_type) {
  std::uniform_int_distribution<int> type(least_type, 2);
  std::uniform_int_distribution<uint64_t> at(0, bytes - 1);
  const uint64_t a = at(random), b = at(random);
  return {.type = static_cast<LockType>(type(random)), .first = std::min(a, b), .last = std::max(a, b)};
}

void expect_equal(const Both& both) {
  Model told;
  const LockRange* before = nullptr;
  for (const LockRange& range : both.locks.all()) {
    ASSERT_NE(range.type, LockType::none);
    if (before != nullptr) {
      ASSERT_GT(range.first, before->last);
      ASSERT_FALSE(before->last + 1 == range.first && before->type == range.type) << "two pieces that are one";
    }
    told.set(range);
    before = &range;
  }
  ASSERT_EQ(told.byte, both.model.byte);
}

TEST(RangeLocks, AgreeWithAnArrayOfBytes) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Both one, other;
    for (int step = 0; step < 60; ++step) {
      Both& which = random() % 2 == 0 ? one : other;
      const LockRange range = random_range(random, 0);
      which.locks.set(range);
      which.model.set(range);
      ASSERT_NO_FATAL_FAILURE(expect_equal(which));
      const LockRange asked = random_range(random, 1);
      ASSERT_EQ(which.locks.covers(asked), which.model.covers(asked));
      ASSERT_EQ(which.locks.conflict(asked).has_value(), which.model.conflicts(asked));
      const auto back = unpack_locks(pack(which.locks));
      ASSERT_TRUE(back);
      ASSERT_EQ(*back, which.locks);
    }
    one.locks.intersect(other.locks);
    for (uint64_t i = 0; i < bytes; ++i) one.model.byte[i] = std::min(one.model.byte[i], other.model.byte[i]);
    ASSERT_NO_FATAL_FAILURE(expect_equal(one));
  }
}

TEST(RangeLocks, TheEndOfTheFileIsFarAway) {
  RangeLocks locks;
  locks.set({.type = LockType::exclusive});
  EXPECT_TRUE(locks.covers({.type = LockType::shared, .first = 1U << 30}));
  locks.set({.type = LockType::none, .first = 10, .last = LockRange::most});
  EXPECT_EQ(locks, RangeLocks({.type = LockType::exclusive, .first = 0, .last = 9}));
}

TEST(RangeLocks, WhatIsNotInFormIsRefused) {
  RangeLocks two(LockRange{.type = LockType::shared, .first = 5, .last = 7});
  two.set({.type = LockType::exclusive, .first = 9, .last = 9});
  const std::string sound = pack(two);
  constexpr size_t piece = 17;
  EXPECT_TRUE(unpack_locks(sound));
  EXPECT_FALSE(unpack_locks(sound.substr(1)));
  EXPECT_FALSE(unpack_locks(sound.substr(0, piece + 3)));
  EXPECT_FALSE(unpack_locks(sound.substr(piece) + sound.substr(0, piece))) << "out of order";
  for (const char type : {'\0', '\3'}) {
    std::string other = sound;
    other[0] = type;
    EXPECT_FALSE(unpack_locks(other));
  }
  std::string backwards = sound;
  backwards[8] = 8;
  EXPECT_FALSE(unpack_locks(backwards)) << "it ends before it begins";
  std::string many;
  for (uint64_t i = 0; i <= most_lock_ranges; ++i) {
    RangeLocks one(LockRange{.type = LockType::shared, .first = 2 * i, .last = 2 * i});
    many += pack(one);
  }
  EXPECT_FALSE(unpack_locks(many));
  EXPECT_TRUE(unpack_locks(many.substr(piece)));
}

}  // namespace
}  // namespace osp::pip
