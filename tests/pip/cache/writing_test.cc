// What is answered before it is done, and how its errors are told: a Cache before a server that answers as the test
// says.
#include <gtest/gtest.h>

#include "pip/cache/cache.h"
#include "pip/packing.h"
#include "tests/pip/cache/fake_lease_channel.h"

namespace osp::pip {
namespace {

struct Writing : testing::Test {
  Writing() {
    EXPECT_EQ(ask(Tattach{.fid = 1, .afid = no_fid}), 0);
    EXPECT_EQ(ask(Tcreate{.fid = 1, .name = "f", .perm = 0644, .mode = "w", .nfid = 2}), 0);
  }
  int ask(const Message& message) {
    const auto answer = cache.exchange({message});
    EXPECT_TRUE(answer);
    const auto* const error = std::get_if<Rerror>(&answer->replies.at(0));
    return error != nullptr ? static_cast<int>(error->number) : 0;
  }
  void do_work() { channel->do_work(); }
  FakeChannel* channel = new FakeChannel;  // the cache's
  Cache cache{std::unique_ptr<LeaseChannel>(channel), KnownTree::Limits{},
              [this](std::function<void()> work) { channel->work.push_back(std::move(work)); }};
};

TEST_F(Writing, IsSentAtOnceAndAnsweredBefore) {
  const int before = channel->sent;
  EXPECT_EQ(ask(Twrite{.fid = 2, .offset = 0, .dat = "text"}), 0);
  EXPECT_EQ(ask(Tclunk{.fid = 2}), 0);
  EXPECT_EQ(channel->sent, before + 3) << "and what it is like then is asked";
  EXPECT_TRUE(cache.is_behind());
  const uint64_t last = cache.last_behind();
  EXPECT_FALSE(cache.is_done(last));
  do_work();
  EXPECT_FALSE(cache.is_behind());
  EXPECT_TRUE(cache.is_done(last));
}

TEST_F(Writing, FsyncTellsWhatFailedBeforeIt) {
  channel->to_write = Rerror{.number = ENOSPC};
  EXPECT_EQ(ask(Twrite{.fid = 2, .offset = 0, .dat = "text"}), 0);
  EXPECT_EQ(ask(Tcommit{.fid = 2}), ENOSPC) << "it was submitted before the error was there";
  EXPECT_EQ(ask(Tcommit{.fid = 2}), 0) << "once";
}

TEST_F(Writing, AChangeTellsWhatFailedBeforeItInAFileThatWeHaveNotMade) {
  EXPECT_EQ(ask(Topen{.fid = 1, .nfid = 3, .path = "g", .mode = "w"}), 0);
  const Message well = std::exchange(channel->to_write, Rerror{.number = ENOSPC});
  EXPECT_EQ(ask(Twrite{.fid = 3, .offset = 0, .dat = "text"}), 0);
  channel->to_write = well;
  EXPECT_EQ(ask(Twrite{.fid = 3, .offset = 0, .dat = pack(AttributeChange{}), .attr = "stat"}), ENOSPC);
  EXPECT_EQ(ask(Twrite{.fid = 3, .offset = 0, .dat = pack(AttributeChange{}), .attr = "stat"}), 0) << "once";
  EXPECT_EQ(ask(Tclunk{.fid = 3}), 0);
}

TEST_F(Writing, AShortWriteIsAnError) {
  channel->to_write = Rwrite{.count = 3, .offset = 3};
  EXPECT_EQ(ask(Twrite{.fid = 2, .offset = 0, .dat = "text"}), 0);
  do_work();
  EXPECT_EQ(ask(Tclunk{.fid = 2}), ENOSPC);
}

TEST_F(Writing, AnErrorAfterTheCloseIsTheNextOnes) {
  channel->to_write = Rerror{.number = EDQUOT};
  EXPECT_EQ(ask(Twrite{.fid = 2, .offset = 0, .dat = "text"}), 0);
  EXPECT_EQ(ask(Tclunk{.fid = 2}), 0);
  do_work();
  EXPECT_EQ(ask(Tcreate{.fid = 1, .name = "g", .perm = 0644, .mode = "w", .nfid = 3}), 0);
  EXPECT_EQ(ask(Tclunk{.fid = 3}), EDQUOT);
}

TEST_F(Writing, WhatCannotBeKnownIsWaitedFor) {
  AttributeChange give;
  give.has_uid = true, give.uid = 1000;
  channel->to_write = Rerror{.number = EPERM};
  EXPECT_EQ(ask(Twrite{.fid = 2, .offset = 0, .dat = pack(give), .attr = "stat"}), EPERM);
  EXPECT_EQ(ask(Twrite{.fid = 2, .offset = append_offset, .dat = "text"}), EPERM);
}

}  // namespace
}  // namespace osp::pip
