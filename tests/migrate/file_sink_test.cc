#include "migrate/file_sink.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace osp::migrate {
namespace {

class FileSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "osp-file-sink-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return directory_ + "/image.osp"; }
  std::string contents() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  long file_count() const { return std::distance(std::filesystem::directory_iterator(directory_), {}); }

  std::string directory_;
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST_F(FileSinkTest, AppearsWholeWithMode0600) {
  const mode_t old = umask(0277);
  auto sink = FileSink::create(path());
  umask(old);
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->write(bytes("one ")) && (*sink)->write(bytes("two")));
  EXPECT_FALSE(std::filesystem::exists(path()));
  ASSERT_TRUE((*sink)->commit());
  sink->reset();
  struct stat status;
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_EQ(contents(), "one two");
  EXPECT_EQ(file_count(), 1);
}

TEST_F(FileSinkTest, WithoutCommitTheOldFileStaysAndNothingElseIsLeft) {
  std::ofstream(path()) << "old";
  {
    auto sink = FileSink::create(path());
    ASSERT_TRUE(sink && (*sink)->write(bytes("new")));
    EXPECT_EQ(file_count(), 2);
  }
  EXPECT_EQ(contents(), "old");
  EXPECT_EQ(file_count(), 1);
}

TEST_F(FileSinkTest, ReplacesTheOldFile) {
  std::ofstream(path()) << "something older and longer";
  auto sink = FileSink::create(path());
  ASSERT_TRUE(sink && (*sink)->write(bytes("new")) && (*sink)->commit());
  EXPECT_EQ(contents(), "new");
  EXPECT_EQ(file_count(), 1);
}

TEST_F(FileSinkTest, AFailedRenameLeavesNothing) {
  auto sink = FileSink::create(path());
  ASSERT_TRUE(sink && (*sink)->write(bytes("new")));
  std::filesystem::create_directory(path());  // rename(2) of a file over a directory fails
  EXPECT_EQ((*sink)->commit().error(), Error(EISDIR));
  sink->reset();
  EXPECT_EQ(file_count(), 1);
}

TEST_F(FileSinkTest, AChangeOfTheWorkingDirectoryDoesNotMatter) {
  const std::string before = std::filesystem::current_path();
  ASSERT_EQ(chdir(directory_.c_str()), 0);
  auto sink = FileSink::create("image.osp");
  ASSERT_EQ(chdir(before.c_str()), 0);
  ASSERT_TRUE(sink && (*sink)->write(bytes("new")) && (*sink)->commit());
  EXPECT_EQ(contents(), "new");
}

TEST_F(FileSinkTest, BadPathsAreRefusedByErrno) {
  EXPECT_EQ(FileSink::create("").error(), Error(ENOENT));
  EXPECT_EQ(FileSink::create(directory_ + "/").error(), Error(EISDIR));
  EXPECT_EQ(FileSink::create(directory_ + "/..").error(), Error(EISDIR));
  EXPECT_EQ(FileSink::create(directory_ + "/no/image").error(), Error(ENOENT));
  EXPECT_EQ(FileSink::create(directory_ + "/" + std::string(255, 'x')).error(), Error(ENAMETOOLONG));
  EXPECT_EQ(file_count(), 0);
}

}  // namespace
}  // namespace osp::migrate
