// Groups of processes that share one session: numbers, forks, and who closes.
#include <gtest/gtest.h>

#include "pip/packing.h"
#include "tools/keeper_group.h"

namespace osp::keeper {
namespace {

using namespace pip;

class GroupTest : public testing::Test {
 protected:
  void SetUp() override {
    tree_.url = "#m.test";
    tree_.changes = &changes_;
    tree_.channel = std::move(*MemoryUpstream::create("#m.test"));
    parent_ = std::move(*Process::create(other_end_));
    ask(*parent_, {Tattach{.fid = root, .afid = no_fid}});
  }
  // The replies to a group; they point into last_.
  std::vector<Message> ask(Process& process, std::vector<Message> messages) {
    auto body = Group(process, tree_, pages_).run(std::move(messages));
    EXPECT_TRUE(body);
    last_ = body ? *body : std::string();
    auto packet = decode_body(last_, OptionSet::all(), 64);
    EXPECT_TRUE(packet);
    return packet ? packet->messages : std::vector<Message>();
  }
  int error_of_group(Process& process, std::vector<Message> messages) {
    auto body = Group(process, tree_, pages_).run(std::move(messages));
    return body ? 0 : body.error().code;
  }
  void make(Process& process, uint32_t fid, std::string_view name, std::string_view contents) {
    const auto replies = ask(process, {Tcreate{.fid = root, .name = name, .perm = 0644, .mode = "rw", .nfid = fid},
                                       Twrite{.fid = fid, .offset = 0, .dat = contents}});
    ASSERT_EQ(replies.size(), 2U);
    ASSERT_TRUE(std::holds_alternative<Rwrite>(replies[1]));
  }
  std::string read(Process& process, uint32_t fid) {
    const auto replies = ask(process, {Tread{.fid = fid, .offset = 0, .count = 100, .attrs = ""}});
    const auto* data = replies.empty() ? nullptr : std::get_if<Rread>(&replies[0]);
    return data != nullptr ? std::string(data->dat) : "no data";
  }

  static constexpr uint32_t root = 1;
  std::atomic<uint64_t> changes_ = 0;
  Tree tree_;
  PageCache pages_{1U << 20};
  HostFd other_end_, child_end_;
  std::shared_ptr<Process> parent_;
  std::string last_;
};

TEST_F(GroupTest, ProcessesNumberTheirFidsThemselves) {
  auto other = std::move(*Process::create(child_end_));
  ask(*other, {Tattach{.fid = root, .afid = no_fid}});
  make(*parent_, 2, "a", "first");
  make(*other, 2, "b", "second");
  EXPECT_EQ(read(*parent_, 2), "first");
  EXPECT_EQ(read(*other, 2), "second");
  EXPECT_EQ(error_of_group(*other, {Tread{.fid = 3, .offset = 0, .count = 1}}), EBADF);
}

TEST_F(GroupTest, AForkedChildHasTheFilesAndTheLastHolderCloses) {
  make(*parent_, 2, "a", "shared");
  auto child = std::move(*Process::fork(*parent_, child_end_));
  ask(*parent_, {Tremove{.fid = root, .flags = 0}});  // harmless: the root cannot be removed
  EXPECT_TRUE(std::holds_alternative<Rclunk>(ask(*parent_, {Tclunk{.fid = 2}})[0]));
  EXPECT_EQ(read(*child, 2), "shared");
  EXPECT_TRUE(std::holds_alternative<Rclunk>(ask(*child, {Tclunk{.fid = 2}})[0]));
  EXPECT_EQ(error_of_group(*child, {Tclunk{.fid = 2}}), EBADF);
}

TEST_F(GroupTest, AProcessThatDiesLetsGo) {
  make(*parent_, 2, "a", "shared");
  {
    auto child = std::move(*Process::fork(*parent_, child_end_));
    make(*child, 3, "b", "its own");
    child->set_gone();
    child->end();
  }
  EXPECT_EQ(read(*parent_, 2), "shared");
  make(*parent_, 3, "c", "the server has room for the number");
}

TEST_F(GroupTest, OpenReadAndClunkInOneGroup) {
  make(*parent_, 2, "a", "contents");
  const auto replies = ask(*parent_, {Topen{.fid = root, .nfid = 9, .path = "a", .mode = "r"},
                                      Tread{.fid = 9, .offset = 0, .count = 100}, Tclunk{.fid = 9}});
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(std::get<Rread>(replies[1]).dat, "contents");
  EXPECT_EQ(error_of_group(*parent_, {Tread{.fid = 9, .offset = 0, .count = 1}}), EBADF);
}

TEST_F(GroupTest, ErrorsStopTheGroupWhereTheyAre) {
  const auto replies =
      ask(*parent_, {Topen{.fid = root, .nfid = 9, .path = "absent", .mode = "r"}, Tread{.fid = 9, .count = 1}});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(std::get<Rerror>(replies[0]).number, static_cast<uint32_t>(ENOENT));
}

TEST_F(GroupTest, ChangesAreCounted) {
  make(*parent_, 2, "a", "x");
  const uint64_t before = changes_;
  read(*parent_, 2);
  EXPECT_EQ(changes_, before);
  ask(*parent_, {Twrite{.fid = 2, .offset = 0, .dat = "y"}});
  EXPECT_GT(changes_, before);
}

TEST_F(GroupTest, WritesReachPagesAndKeepThemValid) {
  make(*parent_, 2, "a", "0123");
  const FidPtr fid = parent_->find(tree_.number, 2)->fid;
  const PageFilePtr pages = *pages_.get(fid);
  ASSERT_TRUE(pages->fill(fid, 0, 4));
  ask(*parent_, {Twrite{.fid = 2, .offset = 2, .dat = "AB"}});
  ask(*parent_, {Topen{.fid = root, .nfid = 5, .path = "a", .mode = "r"}});  // finds the version that we made
  char bytes[4];
  ASSERT_EQ(pread(pages->fd(), bytes, 4, 0), 4);
  EXPECT_EQ(std::string_view(bytes, 4), "01AB");
}

TEST_F(GroupTest, MessagesThatAreNoRequestsAreRefused) { EXPECT_EQ(error_of_group(*parent_, {Rclunk{}}), EPROTO); }

}  // namespace
}  // namespace osp::keeper
