#include "libosp/device/epoll.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace osp::device {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Is as ready as the test says.
class Fake final : public file::Description {
 public:
  long read(task::Thread&, void*, size_t) override { return 0; }
  long write(task::Thread&, const void*, size_t) override { return 0; }
  Result<pip::Attributes> stat() override { return pip::Attributes(); }
  short ready() const override { return state; }
  task::WaitQueue* changes() override { return &queue; }
  void becomes(int events) {
    state = static_cast<short>(events);
    queue.notify();
  }

  short state = 0;
  task::WaitQueue queue;
};

class Regular final : public file::Description {
 public:
  long read(task::Thread&, void*, size_t) override { return 0; }
  long write(task::Thread&, const void*, size_t) override { return 0; }
  Result<pip::Attributes> stat() override { return pip::Attributes(); }
};

class Counter final : public task::Listener {
 public:
  using Listener::Listener;
  void changed() override { ++count; }
  int count = 0;
};

epoll_event event(uint32_t events, uint64_t data = 0) {
  epoll_event e = {};
  e.events = events, e.data.u64 = data;
  return e;
}

class EpollTest : public ::testing::Test {
 protected:
  // {data, events} of each.
  std::vector<std::pair<uint64_t, uint32_t>> take(size_t most = 10) {
    std::vector<epoll_event> events(most);
    events.resize(epoll->take(events));
    std::vector<std::pair<uint64_t, uint32_t>> all;
    for (const epoll_event& e : events) all.emplace_back(e.data.u64, e.events);
    return all;
  }

  std::shared_ptr<Epoll> epoll = std::make_shared<Epoll>();
  std::shared_ptr<Fake> a = std::make_shared<Fake>(), b = std::make_shared<Fake>();
};

using Pair = std::pair<uint64_t, uint32_t>;

TEST_F(EpollTest, LevelIsToldAsLongAsItLasts) {
  ASSERT_EQ(epoll->add(3, a, event(EPOLLIN, 7)), 0);
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(epoll->ready(), 0);
  a->becomes(POLLIN | POLLOUT);
  EXPECT_EQ(epoll->ready(), POLLIN);
  EXPECT_THAT(take(), ElementsAre(Pair(7, EPOLLIN)));
  EXPECT_THAT(take(), ElementsAre(Pair(7, EPOLLIN)));
  a->state = POLLOUT;
  EXPECT_EQ(epoll->ready(), 0);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(EpollTest, WhatIsReadyWhenAddedIsTold) {
  a->state = POLLIN;
  epoll->add(3, a, event(EPOLLIN | EPOLLET, 1));
  EXPECT_THAT(take(), ElementsAre(Pair(1, EPOLLIN)));
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(EpollTest, AnEdgeIsToldOnceForEachChange) {
  epoll->add(3, a, event(EPOLLIN | EPOLLET, 1));
  a->becomes(POLLIN);
  a->becomes(POLLIN);
  EXPECT_THAT(take(), ElementsAre(Pair(1, EPOLLIN)));
  EXPECT_THAT(take(), IsEmpty());
  a->becomes(POLLIN);
  EXPECT_THAT(take(), ElementsAre(Pair(1, EPOLLIN)));
}

TEST_F(EpollTest, OneShotIsArmedAgainByChange) {
  epoll->add(3, a, event(EPOLLIN | EPOLLONESHOT, 1));
  a->becomes(POLLIN | POLLHUP);
  EXPECT_THAT(take(), ElementsAre(Pair(1, EPOLLIN | EPOLLHUP)));
  a->becomes(POLLIN | POLLHUP);
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(epoll->change(3, *a, event(EPOLLIN, 2)), 0);
  EXPECT_THAT(take(), ElementsAre(Pair(2, EPOLLIN | EPOLLHUP)));
}

TEST_F(EpollTest, HangUpsAreToldUnasked) {
  epoll->add(3, a, event(0, 1));
  a->becomes(POLLIN | POLLHUP);
  EXPECT_THAT(take(), ElementsAre(Pair(1, EPOLLHUP)));
}

TEST_F(EpollTest, FewAtATimeTakeTurns) {
  epoll->add(3, a, event(EPOLLIN, 1));
  epoll->add(4, b, event(EPOLLIN, 2));
  a->becomes(POLLIN);
  b->becomes(POLLIN);
  EXPECT_THAT(take(1), ElementsAre(Pair(1, EPOLLIN)));
  EXPECT_THAT(take(1), ElementsAre(Pair(2, EPOLLIN)));
  EXPECT_THAT(take(1), ElementsAre(Pair(1, EPOLLIN)));
}

TEST_F(EpollTest, TheSameFileUnderTwoNumbers) {
  EXPECT_EQ(epoll->add(3, a, event(EPOLLIN, 1)), 0);
  EXPECT_EQ(epoll->add(3, a, event(EPOLLIN, 1)), -EEXIST);
  EXPECT_EQ(epoll->add(4, a, event(EPOLLIN, 2)), 0);
  a->becomes(POLLIN);
  EXPECT_THAT(take(), ElementsAre(Pair(1, EPOLLIN), Pair(2, EPOLLIN)));
  EXPECT_EQ(epoll->remove(3, *a), 0);
  EXPECT_EQ(epoll->remove(3, *a), -ENOENT);
  EXPECT_EQ(epoll->change(3, *a, event(0)), -ENOENT);
  EXPECT_THAT(take(), ElementsAre(Pair(2, EPOLLIN)));
}

TEST_F(EpollTest, AClosedFileLeaves) {
  epoll->add(3, a, event(EPOLLIN, 1));
  epoll->add(4, b, event(EPOLLIN, 2));
  a->becomes(POLLIN);
  a.reset();
  EXPECT_EQ(epoll->ready(), 0);
  EXPECT_THAT(take(), IsEmpty());
  for (int i = 0; i < 1000; ++i) {
    auto passing = std::make_shared<Fake>();
    passing->state = POLLIN;
    EXPECT_EQ(epoll->add(5, passing, event(EPOLLIN, 3)), 0);  // also where the last one was in memory
  }
  b->becomes(POLLIN);
  EXPECT_THAT(take(), ElementsAre(Pair(2, EPOLLIN)));
}

TEST_F(EpollTest, WhatCannotBeWaitedForIsRefused) {
  EXPECT_EQ(epoll->add(3, std::make_shared<Regular>(), event(EPOLLIN)), -EPERM);
  EXPECT_EQ(epoll->add(3, a, event(EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT)), -EINVAL);
  EXPECT_EQ(epoll->add(3, a, event(EPOLLIN | EPOLLEXCLUSIVE)), 0);
  EXPECT_EQ(epoll->change(3, *a, event(EPOLLIN)), -EINVAL);
}

TEST_F(EpollTest, NestedOnesPassReadinessOn) {
  auto outer = std::make_shared<Epoll>();
  ASSERT_EQ(outer->add(5, epoll, event(EPOLLIN, 9)), 0);
  epoll->add(3, a, event(EPOLLIN, 1));
  Counter told(*outer->changes());
  a->becomes(POLLIN);
  EXPECT_GE(told.count, 1);
  EXPECT_EQ(outer->ready(), POLLIN);
  epoll_event events[4];
  EXPECT_EQ(outer->take(events), 1U);
  EXPECT_EQ(events[0].data.u64, 9U);
  a->becomes(0);
  EXPECT_EQ(outer->take(events), 0U);
}

TEST_F(EpollTest, LoopsAreRefused) {
  EXPECT_EQ(epoll->add(3, epoll, event(EPOLLIN)), -EINVAL);
  auto outer = std::make_shared<Epoll>(), outermost = std::make_shared<Epoll>();
  EXPECT_EQ(outer->add(3, epoll, event(EPOLLIN)), 0);
  EXPECT_EQ(outermost->add(3, outer, event(EPOLLIN)), 0);
  EXPECT_EQ(epoll->add(3, outermost, event(EPOLLIN)), -ELOOP);
  EXPECT_EQ(outermost->remove(3, *outer), 0);
  EXPECT_EQ(epoll->add(3, outermost, event(EPOLLIN)), 0);
}

TEST_F(EpollTest, NestingHasAnEndFromBelowAndFromAbove) {
  for (const bool upwards : {true, false}) {
    std::vector<std::shared_ptr<Epoll>> chain = {std::make_shared<Epoll>()};
    long result = 0;
    while (result == 0 && chain.size() < 20) {
      chain.push_back(std::make_shared<Epoll>());
      const auto& last = chain[chain.size() - 2];
      result = upwards ? chain.back()->add(3, last, event(EPOLLIN)) : last->add(3, chain.back(), event(EPOLLIN));
    }
    EXPECT_EQ(result, -ELOOP);
    EXPECT_EQ(chain.size(), static_cast<size_t>(Epoll::most_nested + 1));
  }
}

}  // namespace
}  // namespace osp::device
