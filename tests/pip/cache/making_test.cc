// What a client makes where it has the lease is answered before it is done: a Cache before a server that answers as the
// test says.
#include <gtest/gtest.h>

#include "pip/cache/cache.h"
#include "tests/pip/cache/fake_lease_channel.h"

namespace osp::pip {
namespace {

struct Making : testing::Test {
  Making() {
    EXPECT_EQ(ask({Tattach{.fid = 1, .afid = no_fid}}), 0);
    EXPECT_EQ(ask({Topen{.fid = 1, .nfid = no_fid, .path = "", .mode = "n"}}), 0);  // and so is listed
    EXPECT_EQ(make("first", 2), 0);                                                 // and so may be written to
    EXPECT_FALSE(cache.is_behind());
  }
  // The first error, or 0.
  int ask(const std::vector<Message>& messages) {
    const auto answer = cache.exchange(messages);
    EXPECT_TRUE(answer);
    for (const Message& reply : answer->replies) {
      if (const auto* error = std::get_if<Rerror>(&reply)) return static_cast<int>(error->number);
      if (const auto* create = std::get_if<Rcreate>(&reply); create != nullptr && !create->attributes.empty())
        told = unpack_attributes(create->attributes).value_or(Attributes{});
    }
    return 0;
  }
  int make(std::string_view path, uint32_t fid) {
    return ask({Tcreate{.fid = 1, .name = path, .perm = 0644, .mode = "w", .nfid = fid}});
  }
  int make_directory(std::string_view path, uint32_t mode = 0755) {
    return ask({Tcreate{.fid = 1, .name = path, .perm = S_IFDIR | mode, .mode = "", .nfid = no_fid}});
  }
  int set_mode(std::string_view path, uint32_t mode) {
    AttributeChange to;
    to.has_mode = true, to.mode = mode;
    const std::string packed = pack(to);
    return ask(
        {Topen{.fid = 1, .nfid = 99, .path = path, .mode = "n"}, Twrite{.fid = 99, .dat = packed, .attr = "stat"}});
  }
  int close(uint32_t fid) { return ask({Tclunk{.fid = fid}}); }
  // The number of a file that is open.
  uint64_t number_of(uint32_t fid) {
    const auto answer = cache.exchange({Tread{.fid = fid, .offset = 0, .count = 4096, .attrs = "stat"}});
    const auto* const read = answer ? std::get_if<Rread>(&answer->replies.at(0)) : nullptr;
    return read != nullptr ? unpack_attributes(read->dat).value_or(Attributes{}).id : 0;
  }
  void do_work() { channel->do_work(); }
  FakeChannel* channel = new FakeChannel;  // the cache's
  Cache cache{std::unique_ptr<LeaseChannel>(channel), KnownTree::Limits{},
              [this](std::function<void()> work) { channel->work.push_back(std::move(work)); }};
  Attributes told;  // by the last Rcreate
};

TEST_F(Making, AFileIsAnsweredBeforeItIsThere) {
  EXPECT_EQ(make("f", 3), 0);
  EXPECT_TRUE(cache.is_behind());
  EXPECT_EQ(told.id, 0U) << "nobody knows it yet";
  EXPECT_EQ(told.mode, uint32_t{S_IFREG | 0644});
  EXPECT_EQ(told.uid, 12U) << "as the one before";
  EXPECT_EQ(number_of(3), 7U) << "who asks, waits";
  EXPECT_EQ(close(3), 0);
}

TEST_F(Making, WhatCannotBeMadeIsToldByTheClose) {
  channel->create_error = EDQUOT;
  EXPECT_EQ(make("f", 3), 0);
  do_work();
  EXPECT_EQ(close(3), EDQUOT);
  channel->create_error = 0;
  EXPECT_EQ(make("f", 3), 0);
  EXPECT_FALSE(cache.is_behind()) << "whether there is such a name is not known any more";
}

TEST_F(Making, ADirectoryIsEmptyAndOurs) {
  EXPECT_EQ(make_directory("d"), 0);
  EXPECT_EQ(make("d/f", 3), 0);
  EXPECT_EQ(set_mode("d", 0700), 0);
  EXPECT_EQ(make("d/g", 4), 0);
  const uint64_t last = cache.last_behind();
  EXPECT_FALSE(cache.is_done(last));
  do_work();
  EXPECT_TRUE(cache.is_done(last));
  const int before = channel->sent;
  EXPECT_EQ(ask({Topen{.fid = 1, .nfid = no_fid, .path = "d/h", .mode = "n"}}), ENOENT);
  EXPECT_EQ(channel->sent, before) << "it is leased";
  EXPECT_EQ(make("d/h", 5), 0);
  EXPECT_TRUE(cache.is_behind());
}

TEST_F(Making, OfADirectoryThatIsNotMadeNothingIsKnown) {
  channel->create_error = ENOSPC;
  EXPECT_EQ(make_directory("d"), 0);
  do_work();
  channel->create_error = ENOENT;
  EXPECT_EQ(make("d/f", 3), ENOENT);
  EXPECT_FALSE(cache.is_behind());
}

TEST_F(Making, ADirectoryThatIsClosedToItsOwnerIsAsked) {
  EXPECT_EQ(make_directory("shut", 0500), 0);
  EXPECT_EQ(make_directory("open"), 0);
  EXPECT_EQ(set_mode("open", 0500), 0);
  do_work();
  channel->create_error = EACCES;
  EXPECT_EQ(make("shut/f", 3), EACCES);
  EXPECT_EQ(make("open/f", 3), EACCES);
}

TEST_F(Making, ARecallOfWhatHasNotComeYetEndsIt) {
  EXPECT_EQ(make_directory("d"), 0);
  channel->lease_holder().recalled(channel->last_lease);
  EXPECT_EQ(channel->given_back, std::vector<uint64_t>{channel->last_lease});
  channel->create_error = EEXIST;  // somebody else's
  EXPECT_EQ(make("d/f", 3), EEXIST) << "the lease is back: it is not ours to give";
  do_work();
  EXPECT_EQ(make("d/f", 3), EEXIST) << "nor when its answer has come";
}

TEST_F(Making, WhatOthersMayMakeTooIsAsked) {
  channel->is_shared = true;
  EXPECT_EQ(make_directory("d"), 0);
  do_work();
  EXPECT_EQ(make("d/f", 3), 0);
  EXPECT_FALSE(cache.is_behind()) << "the lease on it is not ours alone";
}

TEST_F(Making, WithoutAConnectionOneWaits) {
  channel->is_connected = false;
  EXPECT_EQ(make("f", 3), 0);
  EXPECT_FALSE(cache.is_behind());
}

TEST_F(Making, AnErrorIsToldByAllThatFollowsAndOnceByNobodyElse) {
  channel->create_error = EDQUOT;
  EXPECT_EQ(make("f", 3), 0);
  channel->to_write = Rerror{.number = EBADF};
  EXPECT_EQ(ask({Twrite{.fid = 3, .offset = 0, .dat = "text"}}), 0);
  do_work();
  EXPECT_EQ(ask({Tread{.fid = 3, .offset = 0, .count = 4096, .attrs = "stat"}}), EDQUOT);
  EXPECT_EQ(ask({Twrite{.fid = 3, .offset = 0, .dat = "text"}}), EDQUOT);
  EXPECT_EQ(close(3), EDQUOT);
  do_work();
  channel->create_error = 0;
  EXPECT_EQ(close(2), 0) << "the file from before is as it should be";
}

TEST_F(Making, OthersAreAskedForOwnership) {
  EXPECT_EQ(make("f", 3), 0);
  AttributeChange give;
  give.has_uid = true, give.uid = 1000;
  channel->to_write = Rerror{.number = EPERM};
  const std::string packed = pack(give);
  EXPECT_EQ(ask({Twrite{.fid = 3, .dat = packed, .attr = "stat"}}), EPERM);
  EXPECT_EQ(
      ask({Topen{.fid = 1, .nfid = 99, .path = "f", .mode = "n"}, Twrite{.fid = 99, .dat = packed, .attr = "stat"}}),
      EPERM);
}

}  // namespace
}  // namespace osp::pip
