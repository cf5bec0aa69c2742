#include "pip/host_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "pip/host_file.h"

namespace osp::pip {
namespace {

class HostTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    umask(0);
    char name[] = "/tmp/osp-host-tree-XXXXXX";
    root_ = mkdtemp(name);
    tree_ = std::move(*HostTree::create(root_ + "/", {}));
    std::filesystem::create_directories(root_ + "/d/e");
    std::ofstream(root_ + "/d/f") << "contents";
    symlink("/outside", (root_ + "/d/out").c_str());
    symlink("e", (root_ + "/d/l").c_str());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string contents(const std::string& path) {
    std::ifstream in(root_ + "/" + path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::unique_ptr<File> opened(std::string_view path, const OpenMode& mode) {
    auto result = tree_->open(path, mode);
    EXPECT_TRUE(result) << path;
    return result ? std::move(result->file) : nullptr;
  }
  static std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

  std::string root_;
  std::unique_ptr<HostTree> tree_;
};

TEST_F(HostTreeTest, ReadsAndWrites) {
  const auto file = opened("d/f", {.read = true, .write = true});
  std::array<std::byte, 16> buffer;
  EXPECT_EQ(file->read(4, buffer), 4U);
  EXPECT_EQ(file->read(100, buffer), 0U);
  EXPECT_EQ(file->write(8, bytes("!!")), 2U);
  EXPECT_EQ(contents("d/f"), "contents!!");
  const auto log = opened("d/f", {.write = true, .append = true});
  EXPECT_EQ(log->append(bytes("++")), 12U);
  EXPECT_EQ(file->append(bytes("**")), 14U);  // though it was not opened for it
  EXPECT_EQ(opened("d/f", {.read = true})->write(0, bytes("x")).error(), Error(EBADF));
}

uint64_t moment = 0;

TEST_F(HostTreeTest, KnowsADirectoryForAMoment) {
  moment = 1;
  const auto tree = std::move(*HostTree::create(root_, {.moment = [] { return moment; }}));
  EXPECT_TRUE(tree->parents_are_plain("d"));
  EXPECT_TRUE(tree->parents_are_plain("d/f"));
  EXPECT_FALSE(tree->parents_are_plain("d/l/x"));
  std::filesystem::rename(root_ + "/d", root_ + "/o");
  symlink("o", (root_ + "/d").c_str());
  EXPECT_TRUE(tree->parents_are_plain("d/f"));
  moment = 2;
  EXPECT_FALSE(tree->parents_are_plain("d/f"));
  EXPECT_TRUE(tree->stat("d/f").error().is_link());
  EXPECT_FALSE(tree_->parents_are_plain("o/f"));  // without a moment nothing is known
}

TEST_F(HostTreeTest, StopsAtLinksAndSaysWhere) {
  const auto on_the_way = tree_->open("d/l/x", {.read = true});
  ASSERT_FALSE(on_the_way);
  EXPECT_EQ(on_the_way.error().consumed, 3U);
  EXPECT_EQ(on_the_way.error().target, "e");
  const auto at_the_end = tree_->open("d/out", {.read = true});
  EXPECT_EQ(at_the_end.error().target, "/outside");
  EXPECT_EQ(at_the_end.error().consumed, 5U);
  EXPECT_EQ(tree_->open("d/out", {.write = true, .create = true, .exclusive = true}).error().code, EEXIST);
  EXPECT_TRUE(S_ISLNK(tree_->open("d/out", {.path_only = true})->attributes.mode));
  EXPECT_EQ(tree_->open("d/l", {.read = true, .directory = true}).error().target, "e");
  EXPECT_EQ(tree_->make("d/l/new", {.mode = S_IFDIR | 0755}).error().target, "e");
  EXPECT_EQ(tree_->open("d/f", {.read = true, .directory = true}).error().code, ENOTDIR);
  EXPECT_TRUE(S_ISLNK(tree_->stat("d/l")->mode));
  EXPECT_EQ(*tree_->read_link("d/l"), "e");
  EXPECT_EQ(tree_->read_link("d/f").error().code, EINVAL);
  EXPECT_EQ(tree_->rename("d/f", "d/l/f", 0).error().which, 1);
}

// Links of proc(5) to what has no name: only a tree of the process's own follows them.
TEST_F(HostTreeTest, FollowsLinksToWhatHasNoName) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string pipe_link = "proc/self/fd/" + std::to_string(ends[0]);
  const auto own = std::move(*HostTree::create("/", {.follows_unnamed = true}));
  std::string path = "proc/" + std::to_string(getpid()) + pipe_link.substr(strlen("proc/self"));
  EXPECT_TRUE(S_ISLNK(own->stat(path)->mode));
  ASSERT_TRUE(own->follow(path));
  EXPECT_TRUE(S_ISFIFO(own->follow(path)->mode));
  EXPECT_EQ(own->follow("proc/self").error().target, std::to_string(getpid()));
  EXPECT_EQ(own->follow("proc/" + std::to_string(getpid()) + "/root").error().target, "/");
  const auto other = std::move(*HostTree::create("/", {}));
  EXPECT_TRUE(other->follow(path).error().is_link());
  close(ends[0]), close(ends[1]);
}

TEST_F(HostTreeTest, TargetsOfLinksMayBeGiven) {
  const auto target = [](std::string_view path) {
    return path == "d/l" ? std::optional<std::string>("/elsewhere") : std::nullopt;
  };
  const auto tree = std::move(*HostTree::create(root_, {.link_target = target}));
  EXPECT_EQ(*tree->read_link("d/l"), "/elsewhere");
  EXPECT_EQ(tree->open("d/l/x", {.read = true}).error().target, "/elsewhere");
  EXPECT_EQ(*tree->read_link("d/out"), "/outside");
}

TEST_F(HostTreeTest, NeverLeavesTheRoot) {
  for (const char* path : {"..", "../etc/passwd", "d/../../etc", "/etc/passwd"}) {
    EXPECT_FALSE(tree_->open(path, {.read = true})) << path;
    EXPECT_FALSE(tree_->remove(path, false)) << path;
  }
}

TEST_F(HostTreeTest, CreatesAndTellsWhetherItDid) {
  EXPECT_EQ(tree_->open("d", {.read = true, .create = true}).error().code, EISDIR);
  EXPECT_EQ(tree_->open(std::string(300, 'n'), {.write = true, .create = true}).error().code, ENAMETOOLONG);
  const OpenMode create{.write = true, .create = true, .permissions = 0640};
  EXPECT_TRUE(tree_->open("new", create)->created);
  EXPECT_FALSE(tree_->open("new", create)->created);
  EXPECT_EQ(tree_->stat("new")->mode, S_IFREG | 0640U);
  EXPECT_EQ(tree_->open("new", {.write = true, .create = true, .exclusive = true}).error().code, EEXIST);
  EXPECT_EQ(tree_->open("none", {.read = true}).error().code, ENOENT);
  EXPECT_EQ(tree_->open("d/f", {.read = true, .directory = true}).error().code, ENOTDIR);
  EXPECT_EQ(tree_->open("d", {.write = true}).error().code, EISDIR);
}

TEST_F(HostTreeTest, MakesEveryKindAndRenamesLinksRemoves) {
  EXPECT_TRUE(tree_->make("m", {.mode = S_IFDIR | 0755}));
  EXPECT_EQ(tree_->make("m", {.mode = S_IFDIR | 0755}).error().code, EEXIST);
  EXPECT_TRUE(tree_->make("s", {.mode = S_IFLNK | 0777, .target = "t"}));
  EXPECT_TRUE(tree_->make("p", {.mode = S_IFIFO | 0600}));
  EXPECT_TRUE(S_ISFIFO(tree_->stat("p")->mode));
  EXPECT_TRUE(tree_->link("d/f", "m/g"));
  EXPECT_EQ(tree_->stat("m/g")->links, 2U);
  EXPECT_EQ(tree_->rename("p", "s", 1 /* RENAME_NOREPLACE */).error().code, EEXIST);
  EXPECT_EQ(tree_->rename("p", "s", 8).error().code, EINVAL);
  EXPECT_TRUE(tree_->rename("p", "q", 0));
  EXPECT_EQ(tree_->remove("m", true).error().code, ENOTEMPTY);
  EXPECT_EQ(tree_->remove("m", false).error().code, EISDIR);
  EXPECT_TRUE(tree_->remove("m/g", false));
  EXPECT_TRUE(tree_->remove("m", true));
}

TEST_F(HostTreeTest, ChangesAttributes) {
  AttributeChange change;
  change.has_mode = change.has_size = change.has_mtime = true;
  change.mode = 0600, change.size = 3, change.mtime_ns = 1'500'000'000'123'456'789;
  EXPECT_TRUE(tree_->change("d/f", change));
  const Attributes after = *tree_->stat("d/f");
  EXPECT_EQ(after.mode & 07777U, 0600U);
  EXPECT_EQ(after.size, 3U);
  EXPECT_EQ(after.mtime_ns, change.mtime_ns);
  change.has_size = false, change.mtime_ns = 5;
  EXPECT_EQ(tree_->change("d/l", change).error().code, EOPNOTSUPP);
  change.has_mode = false;
  EXPECT_TRUE(tree_->change("d/l", change));
  EXPECT_EQ(tree_->stat("d/l")->mtime_ns, 5);
  EXPECT_TRUE(opened("d/f", {.path_only = true})->change(change));
  EXPECT_TRUE(opened("d/f", {.read = true})->change(change));
}

TEST_F(HostTreeTest, ListsDirectoriesWithAttributes) {
  const auto directory = opened("d", {.read = true, .directory = true});
  const auto first = *directory->read_directory(0, 2);
  const auto rest = *directory->read_directory(2, 100);
  EXPECT_EQ(first.size() + rest.size(), 4U);
  EXPECT_TRUE(directory->read_directory(4, 1)->empty());
  for (const auto* part : {&first, &rest})
    for (const DirectoryEntry& entry : *part) {
      EXPECT_EQ(entry.attributes.id, tree_->stat("d/" + entry.name)->id);
      EXPECT_EQ(entry.target, entry.name == "l" ? "e" : entry.name == "out" ? "/outside" : "");
    }
  EXPECT_EQ(opened("d/f", {.read = true})->read_directory(0, 1).error(), Error(ENOTDIR));
}

TEST_F(HostTreeTest, KeepsNamedAttributes) {
  ASSERT_TRUE(tree_->set_attribute("d/f", "user.k", std::string(3000, 'v'), 0));
  EXPECT_EQ(tree_->get_attribute("d/f", "user.k")->size(), 3000U);
  EXPECT_EQ(tree_->set_attribute("d/f", "user.k", "w", 1).error().code, EEXIST);
  EXPECT_EQ(*tree_->list_attributes("d/f"), std::vector<std::string>{"user.k"});
  EXPECT_TRUE(tree_->remove_attribute("d/f", "user.k"));
  EXPECT_EQ(tree_->get_attribute("d/f", "user.k").error().code, ENODATA);
}

TEST_F(HostTreeTest, ReadOnlyRefusesChange) {
  const auto tree = std::move(*HostTree::create(root_, {.read_only = true}));
  EXPECT_TRUE(tree->open("d/f", {.read = true}));
  EXPECT_TRUE(tree->open("d/f", {.read = true, .create = true}));
  EXPECT_EQ(tree->open("d/f", {.write = true}).error().code, EROFS);
  EXPECT_EQ(tree->open("n", {.read = true, .create = true}).error().code, EROFS);
  EXPECT_EQ(tree->remove("d/f", false).error().code, EROFS);
}

TEST_F(HostTreeTest, SpecialFilesOnlyWhereWanted) {
  ASSERT_TRUE(tree_->make("p", {.mode = S_IFIFO | 0600}));
  const auto tree = std::move(*HostTree::create(root_, {.special_files = false}));
  EXPECT_EQ(tree->open("p", {.read = true}).error().code, ENXIO);
  EXPECT_TRUE(tree->open("p", {.path_only = true}));
  EXPECT_GT(tree->statfs()->blocks, 0U);
}

}  // namespace
}  // namespace osp::pip
