// Page files over a memory tree: what goes through fids, mappings and other sessions.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pip/packing.h"
#include "tools/keeper_pages.h"

namespace osp::keeper {
namespace {

using namespace pip;

class PagesTest : public testing::Test {
 protected:
  void SetUp() override {
    tree_.url = "#m.test";
    tree_.changes = &changes_;
    tree_.channel = std::move(*MemoryUpstream::create("#m.test"));
    root_ = std::make_shared<Fid>(tree_);
    ask({Tattach{.fid = root_->number, .afid = no_fid}});
  }
  Answer ask(const std::vector<Message>& messages) {
    auto answer = tree_.channel->exchange(messages);
    EXPECT_TRUE(answer);
    EXPECT_TRUE(check_answer(*answer, messages.size()));
    return std::move(*answer);
  }
  FidPtr make(std::string_view name, std::string_view contents) {
    auto fid = std::make_shared<Fid>(tree_);
    const Answer answer =
        ask({Tcreate{.fid = root_->number, .name = name, .perm = 0644, .mode = "rw", .nfid = fid->number},
             Twrite{.fid = fid->number, .offset = 0, .dat = contents},
             Tread{.fid = fid->number, .offset = 0, .count = 4096, .attrs = "stat"}});
    const auto now = *unpack_attributes(std::get<Rread>(answer.replies[2]).dat);
    fid->is_open = fid->is_regular = fid->can_write = true;
    fid->id = now.id;
    return fid;
  }
  std::string contents(const FidPtr& fid) {
    const Answer answer = ask({Tread{.fid = fid->number, .offset = 0, .count = 65536, .attrs = ""}});
    return std::string(std::get<Rread>(answer.replies[0]).dat);
  }
  // What a process that maps the file sees.
  static std::string mapped(const PageFile& pages) {
    std::string bytes(pages.size(), '\0');
    EXPECT_EQ(pread(pages.fd(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  std::atomic<uint64_t> changes_ = 0;
  Tree tree_;
  PageCache cache_{1U << 20};
  FidPtr root_;
  Process* const process_ = reinterpret_cast<Process*>(0x1000);  // only its address counts
};

TEST_F(PagesTest, FillMakesPagesAgree) {
  const FidPtr file = make("f", "contents");
  const auto pages = cache_.get(file);
  ASSERT_TRUE(pages);
  ASSERT_TRUE((*pages)->fill(file, 0, 4096));
  EXPECT_EQ(mapped(**pages), "contents");
  EXPECT_EQ(*cache_.get(file), *pages);
}

TEST_F(PagesTest, WritesThroughMappingsReachTheServer) {
  const FidPtr file = make("f", std::string(20000, 'a'));
  const PageFilePtr pages = *cache_.get(file);
  ASSERT_TRUE(pages->fill(file, 0, 20000));
  ASSERT_TRUE(pages->begin_writing(file, process_));
  ASSERT_EQ(pwrite(pages->fd(), "XY", 2, 4095), 2);  // over two pages
  ASSERT_TRUE(cache_.flush(&tree_));
  std::string expected(20000, 'a');
  expected.replace(4095, 2, "XY");
  EXPECT_EQ(contents(file), expected);
  const uint64_t changed = changes_;
  ASSERT_TRUE(cache_.flush(&tree_));
  EXPECT_EQ(changes_, changed);  // nothing to do
}

TEST_F(PagesTest, AProcessThatEndsIsFlushed) {
  const FidPtr file = make("f", "0123");
  const PageFilePtr pages = *cache_.get(file);
  ASSERT_TRUE(pages->fill(file, 0, 4));
  ASSERT_TRUE(pages->begin_writing(file, process_));
  ASSERT_EQ(pwrite(pages->fd(), "9", 1, 2), 1);
  cache_.end(process_);
  EXPECT_EQ(contents(file), "0193");
  EXPECT_FALSE(cache_.has_written());
}

TEST_F(PagesTest, WritesThroughFidsReachThePages) {
  const FidPtr file = make("f", "0123");
  const PageFilePtr pages = *cache_.get(file);
  ASSERT_TRUE(pages->fill(file, 0, 4));
  pages->write(3, "ABC");
  EXPECT_EQ(mapped(*pages), "012ABC");
  pages->resize(2);
  EXPECT_EQ(mapped(*pages), "01");
  pages->resize(4);
  EXPECT_EQ(mapped(*pages), std::string("01\0\0", 4));
}

TEST_F(PagesTest, AnotherVersionIsReadAgain) {
  const FidPtr file = make("f", "old");
  const PageFilePtr pages = *cache_.get(file);
  ASSERT_TRUE(pages->fill(file, 0, 3));
  ask({Twrite{.fid = file->number, .offset = 0, .dat = "newer"}});
  pages->meet(UINT64_MAX, 5);
  ASSERT_TRUE(pages->fill(file, 0, 5));
  EXPECT_EQ(mapped(*pages), "newer");
}

TEST_F(PagesTest, TheOldestPagesGoFirst) {
  const std::string large(700 * 1024, 'l');
  const FidPtr one = make("one", ""), two = make("two", "");
  for (const FidPtr& file : {one, two}) {
    for (size_t at = 0; at < large.size(); at += 100 * 1024)
      ask({Twrite{.fid = file->number, .offset = at, .dat = std::string_view(large).substr(0, 100 * 1024)}});
    ASSERT_TRUE((*cache_.get(file))->fill(file, 0, large.size()));
  }
  cache_.trim();
  EXPECT_EQ(cache_.find(tree_, one->id), nullptr);
  EXPECT_NE(cache_.find(tree_, two->id), nullptr);
}

}  // namespace
}  // namespace osp::keeper
