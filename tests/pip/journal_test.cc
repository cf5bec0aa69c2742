#include "pip/journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace osp::pip {
namespace {

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/osp-journal-XXXXXX";
    directory_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::vector<std::string> loaded() {
    auto all = *FileJournalStore(directory_).load();
    return all.empty() ? std::vector<std::string>{"none"} : all[0].records;
  }
  std::string directory_;
};

TEST_F(JournalTest, KeepsRecordsInOrder) {
  FileJournalStore store(directory_);
  const auto journal = *store.create("token");
  EXPECT_TRUE(journal->append("one"));
  EXPECT_TRUE(journal->append(""));
  EXPECT_TRUE(journal->append("three"));
  EXPECT_EQ(loaded(), (std::vector<std::string>{"one", "", "three"}));
  EXPECT_EQ((*store.load())[0].token, "token");
  EXPECT_TRUE(journal->replace({"all"}));
  EXPECT_TRUE(journal->append("more"));
  EXPECT_EQ(loaded(), (std::vector<std::string>{"all", "more"}));
  journal->erase();
  EXPECT_EQ(loaded(), std::vector<std::string>{"none"});
}

TEST_F(JournalTest, OfManySessionsFewFilesAreOpen) {
  const auto open_files = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  FileJournalStore store(directory_);
  std::vector<std::unique_ptr<Journal>> journals;
  for (int i = 0; i < 600; ++i) journals.push_back(*store.create("token" + std::to_string(i)));
  for (const char* record : {"one", "two"})
    for (const auto& journal : journals) EXPECT_TRUE(journal->append(record));
  EXPECT_LT(open_files(), 400);
  auto all = *store.load();
  EXPECT_EQ(all.size(), 600U);
  EXPECT_LT(open_files(), 400);
  for (const LoadedJournal& one : all) EXPECT_EQ(one.records, (std::vector<std::string>{"one", "two"}));
  journals.clear();
  EXPECT_TRUE(all[0].journal->append("three"));
}

TEST_F(JournalTest, ATornRecordIsCutOff) {
  const auto journal = *FileJournalStore(directory_).create("t");
  EXPECT_TRUE(journal->append("whole"));
  EXPECT_TRUE(journal->append("torn"));
  const auto path = std::filesystem::directory_iterator(directory_)->path();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_EQ(loaded(), std::vector<std::string>{"whole"});
  EXPECT_TRUE((*FileJournalStore(directory_).load())[0].journal->append("next"));
  EXPECT_EQ(loaded(), (std::vector<std::string>{"whole", "next"}));
}

}  // namespace
}  // namespace osp::pip
