// Locks as a server gives them and asks for them: sessions over connections that the test carries.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/pip/peers.h"

namespace osp::pip {
namespace {

constexpr uint32_t file_fid = 2;
constexpr LockRange all{.type = LockType::exclusive};

struct LockTest : ServerTest {
  LockTest() { std::ofstream(base + "/tree/f") << "contents"; }
};

struct Locker : Peer {
  explicit Locker(ServerTest& of) : Peer(of) {
    EXPECT_EQ(ask({Topen{.fid = root_fid, .nfid = file_fid, .path = "f", .mode = "p"}}), 0);
  }
  // Rlock's State, or minus the error.
  int lock(LockType how, uint64_t first, uint64_t last, LockKind kind = LockKind::range) {
    const int error = ask({Tlock{.fid = file_fid,
                                 .kind = static_cast<uint8_t>(kind),
                                 .how = static_cast<uint8_t>(how),
                                 .first = first,
                                 .last = last}});
    return error != 0 ? -error : granted().state;
  }
  [[nodiscard]] Rlock granted() const { return std::get<Rlock>(answer->replies.at(0)); }
  [[nodiscard]] LockRange range() const {
    return {.type = static_cast<LockType>(granted().how), .first = granted().first, .last = granted().last};
  }
  // What the server has to say: 0 nothing, 1 that locks are asked for, 2 that one may try again.
  int hear() {
    carry();
    const auto news = client.next_lock_news();
    return !news ? 0 : news->is_retry ? 2 : 1;
  }
  void keep(const RangeLocks& locks, LockKind kind = LockKind::range) {
    client.keep(file_fid, kind, locks, out);
    carry();
  }
};

constexpr auto shared = LockType::shared, exclusive = LockType::exclusive, none = LockType::none;

TEST_F(LockTest, WhoIsAloneHasAllUntilAnotherComes) {
  Locker one(*this), other(*this);
  EXPECT_EQ(one.lock(shared, 3, 5), lock_granted);
  EXPECT_EQ(one.range(), all);
  EXPECT_EQ(other.lock(exclusive, 9, 9), lock_asked_for);
  EXPECT_EQ(other.lock(exclusive, 9, 9), lock_asked_for);
  EXPECT_EQ(one.hear(), 1);
  EXPECT_EQ(one.hear(), 0) << "once";
  one.keep(RangeLocks({.type = shared, .first = 3, .last = 5}));
  EXPECT_EQ(other.hear(), 2);
  EXPECT_EQ(other.lock(exclusive, 9, 9), lock_granted);
  EXPECT_EQ(other.range(), (LockRange{.type = exclusive, .first = 9, .last = 9})) << "no more, since it is not alone";
  EXPECT_EQ(other.lock(shared, 4, 8), lock_granted);
  EXPECT_EQ(other.lock(exclusive, 4, 8), lock_in_use) << "it has said what is in use";
  EXPECT_EQ(other.range(), (LockRange{.type = shared, .first = 3, .last = 5}));
  EXPECT_EQ(one.lock(none, 3, 5), lock_granted);
  EXPECT_EQ(other.hear(), 2);
  EXPECT_EQ(other.lock(exclusive, 4, 8), lock_granted);
  EXPECT_EQ(other.range(), all) << "now it is";
}

TEST_F(LockTest, TheTwoKindsAreApart) {
  Locker one(*this), other(*this);
  EXPECT_EQ(one.lock(exclusive, 0, LockRange::most), lock_granted);
  EXPECT_EQ(other.lock(exclusive, 0, LockRange::most, LockKind::whole), lock_granted);
  EXPECT_EQ(one.lock(shared, 0, LockRange::most, LockKind::whole), lock_asked_for);
}

TEST_F(LockTest, NobodyKeepsWhatHeDidNotHave) {
  Locker one(*this), other(*this), third(*this);
  EXPECT_EQ(one.lock(exclusive, 0, 9), lock_granted);
  EXPECT_EQ(other.lock(exclusive, 20, 29), lock_asked_for);
  one.carry();
  one.keep(RangeLocks({.type = exclusive, .first = 0, .last = 9}));
  EXPECT_EQ(other.lock(exclusive, 20, 29), lock_granted);
  EXPECT_EQ(third.lock(exclusive, 5, 5), lock_in_use);
  one.keep(RangeLocks(all));
  EXPECT_EQ(third.lock(exclusive, 50, 50), lock_granted) << "an answer that nobody asked for";
  EXPECT_EQ(other.lock(shared, 0, 50), lock_in_use);
}

TEST_F(LockTest, TheyGoWithTheFidAndTheSession) {
  Locker one(*this), other(*this), third(*this);
  EXPECT_EQ(one.lock(exclusive, 0, 9), lock_granted);
  EXPECT_EQ(other.lock(shared, 0, 0), lock_asked_for);
  EXPECT_EQ(one.ask({Tclunk{.fid = file_fid}}), 0);
  EXPECT_EQ(other.hear(), 2);
  EXPECT_EQ(other.lock(shared, 0, 0), lock_granted);
  EXPECT_EQ(third.lock(exclusive, 0, 0), lock_asked_for);
  other.client.end(other.out);
  other.carry();
  other.cut();
  EXPECT_EQ(third.hear(), 2);
  EXPECT_EQ(third.lock(exclusive, 0, 0), lock_granted);
}

TEST_F(LockTest, WhoIsAwayKeepsThemAndIsAskedWhenItIsBack) {
  Locker one(*this), other(*this);
  EXPECT_EQ(one.lock(exclusive, 0, 9), lock_granted);
  one.cut();
  EXPECT_EQ(other.lock(shared, 20, 20), lock_in_use) << "nobody waits for it";
  one.connect();
  EXPECT_EQ(one.hear(), 1);
  one.cut();
  one.connect();
  EXPECT_EQ(one.hear(), 1) << "it has not answered";
  one.keep({});
  EXPECT_EQ(other.hear(), 2);
  EXPECT_EQ(other.lock(shared, 20, 20), lock_granted);
}

TEST_F(LockTest, TheyOutliveTheServer) {
  Locker one(*this), other(*this), third(*this);
  EXPECT_EQ(one.lock(exclusive, 0, 9), lock_granted);
  EXPECT_EQ(other.lock(exclusive, 20, 20), lock_asked_for);
  one.carry();
  one.keep(RangeLocks({.type = exclusive, .first = 0, .last = 9}));
  EXPECT_EQ(other.lock(exclusive, 20, 20), lock_granted);
  for (Locker* each : {&one, &other, &third}) each->cut();
  server.reset();
  start();
  for (Locker* each : {&one, &other, &third}) each->connect();
  EXPECT_EQ(third.lock(exclusive, 30, 30), lock_granted) << "what was given back is not held again";
  EXPECT_EQ(third.lock(exclusive, 5, 5), lock_asked_for) << "it is not remembered that what is left is in use";
  EXPECT_EQ(third.lock(exclusive, 20, 20), lock_asked_for);
  EXPECT_EQ(one.hear(), 1);
  EXPECT_EQ(other.hear(), 1);
}

TEST_F(LockTest, WhatMakesNoSenseIsRefused) {
  Locker one(*this);
  EXPECT_EQ(one.lock(exclusive, 5, 4), -EINVAL);
  EXPECT_EQ(one.lock(exclusive, 0, LockRange::most + 1), -EINVAL);
  EXPECT_EQ(one.lock(static_cast<LockType>(3), 0, 1), -EINVAL);
  EXPECT_EQ(one.lock(shared, 0, 1, static_cast<LockKind>(2)), -EINVAL);
  EXPECT_EQ(one.ask({Tlock{.fid = 77, .kind = 0, .how = 1, .first = 0, .last = 1}}), EBADF);
  EXPECT_EQ(one.ask({Tlock{.fid = root_fid, .kind = 0, .how = 1, .first = 0, .last = 1}}), EINVAL);
}

TEST_F(LockTest, ASessionHasSoManyPiecesAndNoMore) {
  Locker one(*this), other(*this);
  EXPECT_EQ(one.lock(shared, 0, 0), lock_granted);
  EXPECT_EQ(other.lock(exclusive, 0, 0), lock_asked_for);
  one.carry();
  one.keep({});
  EXPECT_EQ(other.lock(shared, 1U << 30, 1U << 30), lock_granted);
  other.carry();
  EXPECT_EQ(one.lock(shared, 0, 0), lock_asked_for);
  other.hear();
  other.hear();
  other.keep(RangeLocks({.type = shared, .first = 1U << 30, .last = 1U << 30}));
  int state = lock_granted;
  uint64_t count = 0;
  for (; count < 2 * most_lock_ranges && state == lock_granted; ++count) state = one.lock(shared, 2 * count, 2 * count);
  EXPECT_EQ(state, -ENOLCK);
  EXPECT_GT(count, most_lock_ranges - 4);
  EXPECT_EQ(one.lock(none, 0, LockRange::most), lock_granted);
  EXPECT_EQ(one.lock(shared, 0, 0), lock_granted);
}

}  // namespace
}  // namespace osp::pip
