// A memory file system saved and loaded again.
#include <gtest/gtest.h>

#include <cstring>

#include "namespace/mem_server.h"

namespace osp::ns {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

class MemSnapshotTest : public testing::Test {
 protected:
  static std::unique_ptr<pip::File> open(MemServer& server, std::string_view path, bool create = false) {
    auto opened = server.open(path, {.read = true, .write = true, .create = create, .permissions = 0640});
    EXPECT_TRUE(opened) << path;
    return opened ? std::move(opened->file) : nullptr;
  }
  static std::string text(pip::File& file) {
    std::string all(file.stat()->size, '?');
    EXPECT_EQ(file.read(0, std::as_writable_bytes(std::span(all))), all.size());
    return all;
  }
  // Saves `from`, by way of bytes, and loads it into `into`.
  static Result<void> carry(MemServer& from, MemServer& into) {
    const auto snapshot = MemSnapshot::decode(from.tree().save().encode());
    EXPECT_TRUE(snapshot);
    EXPECT_EQ(snapshot->fault(), "");
    std::vector<std::byte> contents(snapshot->contents_size());
    EXPECT_TRUE(
        from.tree().save_contents(*snapshot, [&](uint64_t at, std::span<const std::byte> piece) -> Result<void> {
          std::memcpy(contents.data() + at, piece.data(), piece.size());
          return {};
        }));
    return into.tree().load(*snapshot, contents);
  }

  MemServer server_, again_;
};

TEST_F(MemSnapshotTest, NamesContentsAndAttributesComeBack) {
  ASSERT_TRUE(server_.make("folder", {.mode = S_IFDIR | 0750}));
  ASSERT_TRUE(open(server_, "folder/file", true)->write(0, bytes_of("contents")));
  ASSERT_TRUE(open(server_, "sparse", true)->write(1 << 20, bytes_of("behind a hole")));
  ASSERT_TRUE(server_.link("folder/file", "second"));
  ASSERT_TRUE(server_.make("pointer", {.mode = S_IFLNK | 0777, .target = "folder/file"}));
  ASSERT_TRUE(server_.make("fifo", {.mode = S_IFIFO | 0600}));
  ASSERT_TRUE(server_.set_attribute("second", "user.colour", "blue", 0));
  pip::AttributeChange change;
  change.has_mtime = true, change.mtime_ns = 12345;
  ASSERT_TRUE(server_.change("second", change));

  ASSERT_TRUE(carry(server_, again_));
  again_.tree().end_load();
  for (const char* path : {"", "folder", "folder/file", "second", "sparse", "pointer", "fifo"}) {
    const auto before = server_.stat(path), after = again_.stat(path);
    ASSERT_TRUE(before && after) << path;
    EXPECT_EQ(after->id, before->id) << path;
    EXPECT_EQ(after->mode, before->mode) << path;
    EXPECT_EQ(after->links, before->links) << path;
    EXPECT_EQ(after->size, before->size) << path;
    EXPECT_EQ(after->mtime_ns, before->mtime_ns) << path;
    EXPECT_EQ(after->ctime_ns, before->ctime_ns) << path;
    EXPECT_EQ(after->version, before->version) << path;
  }
  EXPECT_EQ(text(*open(again_, "second")), "contents");
  EXPECT_EQ(text(*open(again_, "sparse")), text(*open(server_, "sparse")));
  EXPECT_LT(again_.stat("sparse")->blocks * 512, 1U << 20);
  EXPECT_EQ(again_.read_link("pointer"), "folder/file");
  EXPECT_EQ(again_.get_attribute("folder/file", "user.colour"), "blue");
  const uint64_t newest = server_.stat("fifo")->id;
  ASSERT_TRUE(again_.make("new", {.mode = S_IFREG | 0600}));
  EXPECT_GT(again_.stat("new")->id, newest);
}

TEST_F(MemSnapshotTest, RemovedFilesThatAreOpenAreOpenedByNumber) {
  auto file = open(server_, "gone", true);
  ASSERT_TRUE(file->write(0, bytes_of("still here")));
  ASSERT_TRUE(server_.remove("gone", false));
  const uint64_t id = file->stat()->id;
  ASSERT_TRUE(carry(server_, again_));
  auto found = open(again_, std::to_string(id));
  EXPECT_EQ(again_.stat("gone").error().code, ENOENT);
  again_.tree().end_load();
  EXPECT_EQ(again_.stat(std::to_string(id)).error().code, ENOENT);
  EXPECT_EQ(text(*found), "still here");
  EXPECT_EQ(found->stat()->links, 0U);
  EXPECT_EQ(found->stat()->id, id);
}

TEST_F(MemSnapshotTest, WhatNobodyHasOpenedAgainIsGone) {
  auto file = open(server_, "gone", true);
  ASSERT_TRUE(server_.remove("gone", false));
  ASSERT_TRUE(carry(server_, again_));
  EXPECT_EQ(again_.tree().file_count(), 2U);
  again_.tree().end_load();
  EXPECT_EQ(again_.tree().file_count(), 1U);
}

TEST_F(MemSnapshotTest, FilesGoToWhoLoads) {
  MemServer first({.uid = 1000, .gid = 1000}), second({.uid = 2000, .gid = 2000});
  (void)open(first, "mine", true);
  ASSERT_TRUE(carry(first, second));
  second.tree().end_load();
  EXPECT_EQ(second.stat("mine")->uid, 2000U);
  EXPECT_EQ(second.stat("")->gid, 2000U);
}

TEST_F(MemSnapshotTest, OnlyAnEmptyTreeLoads) {
  (void)open(again_, "there", true);
  const auto loaded = carry(server_, again_);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, EBUSY);
}

TEST_F(MemSnapshotTest, ImpossibleTreesAreFound) {
  (void)open(server_, "file", true);
  ASSERT_TRUE(server_.make("a", {.mode = S_IFDIR | 0700}));
  ASSERT_TRUE(server_.make("a/b", {.mode = S_IFDIR | 0700}));
  const MemSnapshot good = server_.tree().save();
  ASSERT_EQ(good.nodes.size(), 4U);
  const auto fault = [&](auto change) {
    MemSnapshot bad = good;
    change(bad);
    return bad.fault();
  };
  EXPECT_EQ(fault([](MemSnapshot&) {}), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes.clear(); }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[1].attributes.id = 1; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[1].attributes.id = s.next_id; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[1].attributes.mode = 0; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[1].attributes.size = UINT64_MAX; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[1].at = 1; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[1].names["x"] = 2; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[0].names["x/y"] = 2; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[0].names[".."] = 2; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[0].names["x"] = 99; }), "");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[3].names["x"] = 3; }), "a directory within itself");
  EXPECT_NE(fault([](MemSnapshot& s) { s.nodes[0].names.erase("a"); }), "a directory that nobody can reach");
}

TEST_F(MemSnapshotTest, BytesThatAreNoneAreRefused) {
  (void)open(server_, "file", true);
  const std::string good = server_.tree().save().encode();
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(MemSnapshot::decode(good.substr(0, size))) << size;
  EXPECT_FALSE(MemSnapshot::decode(good + "x"));
}

}  // namespace
}  // namespace osp::ns
