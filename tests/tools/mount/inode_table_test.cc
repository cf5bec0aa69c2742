#include "tools/mount/inode_table.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/stat.h>

#include <functional>

namespace osp::fuse {
namespace {

pip::Attributes file(uint64_t id, uint64_t links = 1) {
  pip::Attributes attributes;
  attributes.id = id, attributes.mode = S_IFREG | 0644, attributes.links = links;
  return attributes;
}

pip::Attributes directory(uint64_t id) {
  pip::Attributes attributes;
  attributes.id = id, attributes.mode = S_IFDIR | 0755, attributes.links = 2;
  return attributes;
}

class InodeTableTest : public ::testing::Test {
 protected:
  NodePtr enter(const NodePtr& parent, std::string_view name, const pip::Attributes& attributes) {
    auto entered = table_.enter(parent, name, attributes);
    EXPECT_TRUE(entered.has_value());
    return entered ? *entered : nullptr;
  }
  std::string path(const NodePtr& node) { return table_.path(*node).value_or("(none)"); }

  InodeTable table_{directory(1)};
  NodePtr root_ = table_.root();
};

TEST_F(InodeTableTest, PathsAreFromTheRoot) {
  const NodePtr a = enter(root_, "a", directory(2)), b = enter(a, "b", directory(3)), f = enter(b, "f", file(4));
  EXPECT_EQ(path(root_), "");
  EXPECT_EQ(path(f), "a/b/f");
  EXPECT_EQ(table_.find(f->number()), f);
  EXPECT_EQ(table_.find(12345), nullptr);
}

TEST_F(InodeTableTest, WhatIsBelowARenamedDirectoryGoesWithIt) {
  const NodePtr a = enter(root_, "a", directory(2)), c = enter(root_, "c", directory(3)), f = enter(a, "f", file(4));
  table_.renamed(root_, "a", c, "new");
  EXPECT_EQ(path(f), "c/new/f");
}

TEST_F(InodeTableTest, ARenameOverAFileLeavesThatWithoutAName) {
  const NodePtr one = enter(root_, "one", file(2)), two = enter(root_, "two", file(3));
  table_.renamed(root_, "one", root_, "two");
  EXPECT_EQ(path(one), "two");
  EXPECT_EQ(path(two), "(none)");
  EXPECT_TRUE(two->is_gone());
  EXPECT_EQ(two->attributes.links, 0U);
}

TEST_F(InodeTableTest, AnExchangeGivesEachTheOthersName) {
  const NodePtr a = enter(root_, "a", directory(2)), f = enter(a, "f", file(3)), g = enter(root_, "g", directory(4));
  const NodePtr in_g = enter(g, "x", file(5));
  table_.exchanged(a, "f", root_, "g");
  EXPECT_EQ(path(f), "g");
  EXPECT_EQ(path(in_g), "a/f/x");
}

TEST_F(InodeTableTest, HardLinksAreOneNode) {
  const NodePtr a = enter(root_, "a", file(2, 2)), b = enter(root_, "b", file(2, 2));
  EXPECT_EQ(a, b);
  table_.removed(root_, "b");
  EXPECT_EQ(path(a), "a");
  EXPECT_FALSE(a->is_gone());
  EXPECT_EQ(a->attributes.links, 1U);
  table_.removed(root_, "a");
  EXPECT_TRUE(a->is_gone());
}

TEST_F(InodeTableTest, ARenameOfALinkOverAnotherOfTheFileDoesNothing) {
  const NodePtr a = enter(root_, "a", file(2, 2));
  enter(root_, "b", file(2, 2));
  table_.renamed(root_, "a", root_, "b");
  EXPECT_EQ(table_.child(*root_, "a"), a);
  EXPECT_EQ(table_.child(*root_, "b"), a);
}

TEST_F(InodeTableTest, AnotherLinkThatIsNotKnownKeepsTheNode) {
  const NodePtr a = enter(root_, "a", file(2, 2));
  table_.removed(root_, "a");
  EXPECT_FALSE(a->is_gone());
  EXPECT_EQ(path(a), "(none)");
  EXPECT_EQ(enter(root_, "other", file(2, 1)), a);
  EXPECT_EQ(path(a), "other");
}

TEST_F(InodeTableTest, AnIdOfAFileThatIsGoneIsAnotherFile) {
  const NodePtr old = enter(root_, "a", file(2));
  table_.removed(root_, "a");
  const NodePtr made = enter(root_, "a", file(2));
  EXPECT_NE(made, old);
  EXPECT_NE(made->number(), old->number());
}

TEST_F(InodeTableTest, AnIdThatHasBecomeAnotherKindIsAnotherFile) {
  const NodePtr old = enter(root_, "a", file(2));
  const NodePtr made = enter(root_, "b", directory(2));
  EXPECT_NE(made, old);
  EXPECT_EQ(path(old), "(none)");
}

TEST_F(InodeTableTest, WhatOthersRenamedIsFoundAtItsNewName) {
  const NodePtr a = enter(root_, "a", directory(2)), f = enter(a, "f", file(3));
  EXPECT_EQ(enter(root_, "moved", directory(2)), a);
  EXPECT_EQ(path(f), "moved/f");
  EXPECT_EQ(table_.child(*root_, "a"), nullptr);
  EXPECT_EQ(enter(root_, "g", file(3)), f);
  EXPECT_EQ(path(f), "g");
}

TEST_F(InodeTableTest, ANameThatOthersGaveToAnotherFileIsItsNoMore) {
  const NodePtr old = enter(root_, "a", file(2)), made = enter(root_, "a", file(3));
  EXPECT_EQ(path(old), "(none)");
  EXPECT_FALSE(old->is_gone());
  EXPECT_EQ(path(made), "a");
}

TEST_F(InodeTableTest, NoDirectoryComesToLieInItself) {
  const NodePtr a = enter(root_, "a", directory(2)), b = enter(a, "b", directory(3));
  EXPECT_EQ(table_.enter(b, "a", directory(2)).error().code, ESTALE);
  EXPECT_EQ(table_.enter(b, "root", directory(1)).error().code, ESTALE);
  EXPECT_EQ(path(b), "a/b");
  table_.renamed(root_, "a", b, "a");
  EXPECT_EQ(path(b), "(none)");  // the server says so, but not how
}

TEST_F(InodeTableTest, WhatIsForgottenIsGone) {
  const NodePtr a = enter(root_, "a", directory(2));
  const NodePtr f = enter(a, "f", file(3));
  enter(a, "f", file(3));
  table_.forget(f->number(), 1);
  EXPECT_EQ(table_.find(f->number()), f);
  table_.forget(a->number(), 1);
  EXPECT_EQ(path(f), "a/f");  // a stays while something is known in it
  table_.forget(f->number(), 1);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_EQ(path(f), "(none)");
  EXPECT_NE(enter(root_, "a", directory(2)), a);
}

// As large as a job's.
void on_a_small_stack(const std::function<void()>& work) {
  constexpr size_t stack = 256UL * 1024;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack);
  pthread_t thread = {};
  const auto run = [](void* call) -> void* {
    (*static_cast<const std::function<void()>*>(call))();
    return nullptr;
  };
  std::function<void()> call = work;
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &call), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST_F(InodeTableTest, ATreeMayBeDeeperThanAStack) {
  constexpr uint64_t depth = 10'000;
  NodePtr at = root_;
  for (uint64_t id = 2; id < depth; ++id) at = enter(at, "d", directory(id));
  on_a_small_stack([&] { EXPECT_EQ(path(at).size(), 2 * (depth - 2) - 1); });
  const uint64_t last = at->number();
  for (uint64_t number = 2; number < last; ++number) table_.forget(number, 1);
  EXPECT_EQ(table_.size(), depth - 1);
  at.reset();
  on_a_small_stack([&] { table_.forget(last, 1); });
  EXPECT_EQ(table_.size(), 1U);
}

TEST_F(InodeTableTest, WhatWasAskedBeforeAChangeOfOursIsOld) {
  pip::Attributes old = file(2);
  const NodePtr f = enter(root_, "f", old);
  f->attributes.size = 10, f->changed = 5;
  ASSERT_TRUE(table_.enter(root_, "f", old, 4));
  EXPECT_EQ(f->attributes.size, 10U);
  old.size = 7;
  ASSERT_TRUE(table_.enter(root_, "f", old, 5));
  EXPECT_EQ(f->attributes.size, 7U);
}

TEST_F(InodeTableTest, TheRootAndStrangersAreNotForgotten) {
  table_.forget(InodeTable::root_number, 100);
  table_.forget(4711, 1);
  EXPECT_EQ(table_.find(InodeTable::root_number), root_);
}

TEST_F(InodeTableTest, ALinkInAForgottenDirectoryLeavesTheOther) {
  const NodePtr a = enter(root_, "a", directory(2)), b = enter(root_, "b", directory(3));
  const NodePtr f = enter(a, "f", file(4, 2));
  enter(b, "g", file(4, 2));
  table_.removed(root_, "b");
  EXPECT_EQ(path(f), "a/f");
}

TEST_F(InodeTableTest, WhatIsBelowAMoveMoves) {
  const NodePtr a = enter(root_, "a", directory(2)), f = enter(a, "f", file(3)), g = enter(root_, "g", file(4));
  ++a->moving;
  EXPECT_TRUE(table_.is_moving(*f));
  EXPECT_FALSE(table_.is_moving(*g));
  --a->moving;
  EXPECT_FALSE(table_.is_moving(*f));
}

}  // namespace
}  // namespace osp::fuse
