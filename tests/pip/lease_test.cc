// Leases as a server gives them and takes them back: two sessions over connections that the test carries.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/pip/peers.h"

namespace osp::pip {
namespace {

using LeaseTest = ServerTest;

TEST_F(LeaseTest, AChangeWaitsUntilTheLeaseIsBack) {
  Peer reader(*this), writer(*this), third(*this);
  const auto listed = reader.list("d");
  ASSERT_EQ(listed.size(), 1U);
  ASSERT_EQ(listed[0].entries.size(), 1U);
  EXPECT_EQ(listed[0].entries[0].entry.name, "e");
  EXPECT_NE(listed[0].lease, 0U);
  EXPECT_EQ(writer.make("other"), 0) << "nobody has a lease there";
  EXPECT_EQ(writer.make("d/new"), -1);
  EXPECT_FALSE(std::filesystem::exists(base + "/tree/d/new"));
  reader.carry();
  ASSERT_EQ(reader.client.next_recall(), listed[0].lease);
  EXPECT_EQ(third.list("d").at(0).lease, 0U) << "somebody is about to change it";
  EXPECT_FALSE(reader.client.next_recall()) << "once";
  reader.client.returned(listed[0].lease, 0, reader.out);
  reader.carry();
  writer.carry();
  EXPECT_TRUE(std::filesystem::exists(base + "/tree/d/new"));
}

TEST_F(LeaseTest, ItsOwnChangesEndNoLeaseButThoseBelowWhatItMoves) {
  Peer one(*this), other(*this);
  const auto listed = one.list("", 8);
  ASSERT_EQ(listed.size(), 3U) << "the root, d, d/e";
  EXPECT_EQ(one.make("d/new"), 0);
  EXPECT_EQ(one.list("d")[0].lease, listed[1].lease);
  EXPECT_EQ(one.ask({Topen{.fid = root_fid, .nfid = 5, .path = "d", .mode = "n"},
                     Trename{.fid = 5, .dfid = root_fid, .name = "m"}}),
            0);
  EXPECT_EQ(other.make("m/e/x"), 0) << "no lease is on it";
  EXPECT_EQ(other.make("y"), -1) << "the root's is still there";
}

TEST_F(LeaseTest, WhoIsSilentForATermIsNotWaitedFor) {
  Peer reader(*this), writer(*this);
  const uint64_t epoch = reader.client.lease_epoch();
  (void)reader.list("d");
  reader.cut();
  EXPECT_EQ(writer.make("d/new"), -1);
  now_s += term_s + 1;
  server->expire(now_s);
  EXPECT_EQ(writer.look(), -1) << "a second more than its own clock says";
  now_s += 1;
  server->expire(now_s);
  EXPECT_EQ(writer.look(), 0);
  reader.connect();
  EXPECT_NE(reader.client.lease_epoch(), epoch);
}

TEST_F(LeaseTest, AnEarlyConnectionGivesNothingBack) {
  Peer reader(*this), writer(*this);
  const uint64_t lease = reader.list("d")[0].lease;
  EXPECT_EQ(writer.make("d/new"), -1);
  reader.cut();
  reader.connect(false);  // somebody repeats what the reader has sent
  reader.client.returned(lease, 0, reader.out);
  reader.carry();
  EXPECT_EQ(writer.look(), -1);
  reader.cut();
  reader.connect();
  reader.carry();
  EXPECT_EQ(reader.client.next_recall(), lease) << "it is asked again";
  reader.client.returned(lease, 0, reader.out);
  reader.carry();
  EXPECT_EQ(writer.look(), 0);
}

TEST_F(LeaseTest, WhatWaitsOnAConnectionThatIsConfirmedGoesOn) {
  Peer reader(*this), writer(*this);
  const uint64_t lease = reader.list("d")[0].lease;
  EXPECT_EQ(writer.make("d/new"), -1);
  writer.cut();
  writer.connect(false);  // it sends the group again
  EXPECT_TRUE(server->confirm(writer.id, writer.late));
  reader.client.returned(lease, 0, reader.out);
  reader.carry();
  EXPECT_EQ(writer.look(), 0);
}

TEST_F(LeaseTest, AFidThatIsNotThereTakesNothingAway) {
  Peer reader(*this), other(*this);
  (void)reader.list("d");
  EXPECT_EQ(other.ask({Tremove{.fid = 99}}), EBADF);
  reader.carry();
  EXPECT_FALSE(reader.client.next_recall());
}

TEST_F(LeaseTest, WhoMayNotChangeItTakesNothingAway) {
  Peer reader(*this), other(*this);
  (void)reader.list("d");
  server->restrict_to(other.id, Access({{.path = "", .may_write = false}}));
  EXPECT_EQ(other.make("d/new"), EACCES);
  reader.carry();
  EXPECT_FALSE(reader.client.next_recall());
}

TEST_F(LeaseTest, WhoIsThereAndDoesNotAnswerIsNotWaitedForForEver) {
  Peer reader(*this), writer(*this);
  (void)reader.list("d");
  EXPECT_EQ(writer.make("d/new"), -1);
  for (int i = 0; i < 4; ++i) {
    now_s += term_s;
    reader.client.ping("", reader.out);
    reader.carry();
    server->expire(now_s);
  }
  EXPECT_EQ(writer.look(), 0);
}

TEST_F(LeaseTest, ADirectoryThatTookAnothersPlaceIsWatched) {
  Peer reader(*this);
  const uint64_t lease = reader.list("d/e")[0].lease;
  std::filesystem::rename(base + "/tree/d", base + "/tree/old");
  std::filesystem::create_directories(base + "/tree/d/n");
  server->look_at_changes();
  const uint64_t another = reader.list("d/n")[0].lease;
  EXPECT_NE(another, 0U);
  reader.client.returned(lease, 0, reader.out);
  reader.carry();
  (void)reader.client.next_recall();
  std::filesystem::rename(base + "/tree/d", base + "/tree/moved");
  server->look_at_changes();
  reader.carry();
  EXPECT_EQ(reader.client.next_recall(), another);
}

TEST_F(LeaseTest, ARestartedServerWaitsForThoseWhoHadLeases) {
  Peer reader(*this), writer(*this);
  const uint64_t epoch = reader.client.lease_epoch();
  (void)reader.list("d");
  reader.cut(), writer.cut();
  server.reset();
  start();
  writer.connect();
  EXPECT_EQ(writer.make("anything"), -1);
  reader.connect();
  EXPECT_NE(reader.client.lease_epoch(), epoch) << "so it knows that they are gone";
  EXPECT_EQ(writer.look(), -1) << "what it has answered on their word may be on its way";
  reader.client.ping("all is here", reader.out);
  reader.carry();
  EXPECT_EQ(writer.look(), 0);
}

TEST_F(LeaseTest, WhoMakesSomethingHasTheLeaseAlone) {
  Peer maker(*this), other(*this);
  (void)maker.list("d");
  EXPECT_EQ(maker.make("d/x"), 0);
  EXPECT_EQ(std::get<Rcreate>(maker.answer->replies.at(0)).created, 1 | created_first);
  EXPECT_EQ(other.list("d").at(0).lease, 0U) << "nobody has one beside it";
  maker.carry();
  const auto wanted = maker.client.next_recall();
  ASSERT_TRUE(wanted) << "but it is asked for";
  maker.client.returned(*wanted, 0, maker.out);
  maker.carry();
  EXPECT_NE(other.list("d").at(0).lease, 0U);
  EXPECT_NE(maker.list("d").at(0).lease, 0U) << "and then both may";
  EXPECT_EQ(maker.make("d/y"), -1);
}

TEST_F(LeaseTest, ANewDirectoryIsItsMakersAlone) {
  Peer maker(*this), other(*this);
  EXPECT_EQ(maker.ask({Tcreate{.fid = root_fid, .name = "new", .perm = S_IFDIR | 0755, .nfid = no_fid},
                       Tlist{.fid = root_fid, .path = "new", .depth = 1, .count = 65536}}),
            0);
  const auto listed = unpack_listing(std::get<Rlist>(maker.answer->replies.at(1)).dat);
  ASSERT_TRUE(listed && listed->size() == 1);
  EXPECT_NE(listed->front().lease, 0U);
  EXPECT_TRUE(listed->front().is_exclusive);
  EXPECT_FALSE(other.list("d").at(0).is_exclusive);
  EXPECT_EQ(other.list("new").at(0).lease, 0U);
}

TEST_F(LeaseTest, LaterGroupsWaitToo) {
  Peer reader(*this), writer(*this);
  const uint64_t lease = reader.list("d")[0].lease;
  const uint64_t first = *writer.client.submit(
      {Tcreate{.fid = root_fid, .name = "d/new", .perm = S_IFDIR | 0755, .nfid = no_fid}}, 0, writer.out);
  EXPECT_EQ(writer.ask({Topen{.fid = root_fid, .nfid = no_fid, .path = "d/new", .mode = "n"}}), -1) << "not yet ENOENT";
  const uint64_t second = writer.tag;
  writer.tag = *writer.client.submit({Topen{.fid = root_fid, .nfid = no_fid, .path = "d", .mode = "n"}}, flag_overtakes,
                                     writer.out);
  EXPECT_EQ(writer.look(), 0);
  reader.client.returned(lease, 0, reader.out);
  reader.carry();
  writer.tag = second;
  EXPECT_EQ(writer.look(), 0);
  EXPECT_TRUE(writer.client.take(first));
}

TEST_F(LeaseTest, WhatTheHostDoesIsTold) {
  Peer reader(*this);
  const auto listed = reader.list("d/e", 1);
  std::ofstream(base + "/tree/d/file") << "not in it";
  server->look_at_changes();
  reader.carry();
  EXPECT_FALSE(reader.client.next_recall());
  std::ofstream(base + "/tree/d/e/file") << "in it";
  server->look_at_changes();
  reader.carry();
  EXPECT_EQ(reader.client.next_recall(), listed.at(0).lease);
  reader.client.returned(listed[0].lease, 0, reader.out);
  reader.carry();
  const auto again = reader.list("d/e", 1);
  ASSERT_EQ(rename((base + "/tree/d").c_str(), (base + "/tree/m").c_str()), 0);
  server->look_at_changes();
  reader.carry();
  EXPECT_EQ(reader.client.next_recall(), again.at(0).lease) << "its path has another meaning";
}

TEST_F(LeaseTest, RightsThatChangeTakeLeasesAway) {
  Peer reader(*this);
  const uint64_t lease = reader.list("d")[0].lease;
  server->restrict_to(reader.id, Access({{.path = "elsewhere", .may_write = false}}));
  reader.carry();
  EXPECT_EQ(reader.client.next_recall(), lease);
}

TEST_F(LeaseTest, AListingThatDoesNotFitIsRefusedAndLeasesNothing) {
  Peer reader(*this), writer(*this);
  EXPECT_EQ(reader.ask({Tlist{.fid = root_fid, .path = "d", .depth = 1, .count = 100}}), EMSGSIZE);
  EXPECT_EQ(reader.ask({Tlist{.fid = root_fid, .path = "none", .depth = 1, .count = 1000}}), ENOENT);
  EXPECT_EQ(writer.make("d/new"), 0);
}

TEST(Listing, NonsenseIsRefused) {
  ListedDirectory directory{.path = "a", .lease = 7};
  directory.entries.resize(1);
  directory.entries[0].entry.name = "x";
  directory.entries[0].is_plain = true;
  std::string packed;
  pack(directory, packed);
  const auto listing = unpack_listing(packed);
  ASSERT_TRUE(listing);
  EXPECT_EQ(listing->at(0).entries.at(0).entry.name, "x");
  EXPECT_TRUE(listing->at(0).entries[0].is_plain);
  for (size_t size = 1; size < packed.size(); ++size)
    EXPECT_FALSE(unpack_listing(std::string_view(packed).substr(0, size))) << size;
}

}  // namespace
}  // namespace osp::pip
