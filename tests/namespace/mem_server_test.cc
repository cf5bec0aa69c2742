#include "namespace/mem_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/xattr.h>

#include <random>

namespace osp::ns::test {
namespace {

using pip::OpenMode;
using testing::ElementsAre;

constexpr OpenMode reading{.read = true};
constexpr OpenMode creating{.read = true, .write = true, .create = true, .permissions = 0644};

int64_t ticks = 0;

class MemServerTest : public testing::Test {
 protected:
  MemServerTest() : server_({.uid = 1000, .gid = 1000, .clock = [] { return ++ticks; }}) {}

  std::unique_ptr<pip::File> open(std::string_view path, const OpenMode& mode = creating) {
    auto opened = server_.open(path, mode);
    EXPECT_TRUE(opened) << path << ": " << strerrorname_np(opened ? 0 : opened.error().code);
    return opened ? std::move(opened->file) : nullptr;
  }
  static size_t write(pip::File& file, uint64_t offset, std::string_view text) {
    return file.write(offset, std::as_bytes(std::span(text))).value_or(0);
  }
  static std::string read(pip::File& file, uint64_t offset = 0, size_t size = 100) {
    std::string text(size, '?');
    text.resize(file.read(offset, std::as_writable_bytes(std::span(text))).value_or(0));
    return text;
  }
  template <class T>
  static int error_of(const T& result) {
    return result ? 0 : result.error().code;
  }
  pip::Walked<void> make(std::string_view path, uint32_t mode, std::string target = {}) {
    return server_.make(path, {.mode = mode, .device = 0, .target = std::move(target)});
  }

  MemServer server_;
};

TEST_F(MemServerTest, AFileWithoutANameLivesOn) {
  const auto file = open("f");
  write(*file, 0, "kept");
  ASSERT_TRUE(server_.remove("f", false));
  EXPECT_EQ(error_of(server_.stat("f")), ENOENT);
  EXPECT_EQ(read(*file), "kept");
  EXPECT_EQ(file->stat()->links, 0U);
  EXPECT_EQ(write(*file, 4, "!"), 1U);
}

TEST_F(MemServerTest, AnOpenFileOutlivesTheServer) {
  auto server = std::make_unique<MemServer>();
  auto opened = server->open("f", creating);
  ASSERT_TRUE(opened);
  server.reset();
  EXPECT_EQ(write(*opened->file, 0, "kept"), 4U);
  EXPECT_EQ(read(*opened->file), "kept");
}

TEST_F(MemServerTest, HolesReadAsZerosAndCostNothing) {
  const auto file = open("f");
  const uint64_t far = uint64_t{1} << 40;
  EXPECT_EQ(write(*file, far, "end"), 3U);
  EXPECT_EQ(file->stat()->size, far + 3);
  EXPECT_LT(file->stat()->blocks, 300U);
  EXPECT_EQ(read(*file, far - 2, 10), std::string("\0\0end", 5));
  EXPECT_EQ(read(*file, 12345, 2), std::string(2, '\0'));
  EXPECT_EQ(error_of(file->write(INT64_MAX, std::as_bytes(std::span("x")))), EFBIG);
}

// Random writes and truncations against a plain array.
TEST_F(MemServerTest, ContentsAreWhatWasWritten) {
  const auto file = open("f");
  std::string model;
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const size_t at = random() % 300'000;
    if (random() % 5 == 0) {
      pip::AttributeChange change{.has_size = true};
      change.size = at;
      ASSERT_TRUE(file->change(change));
      model.resize(at);
    } else {
      const std::string text(1 + random() % 70'000, static_cast<char>('a' + i % 26));
      ASSERT_EQ(write(*file, at, text), text.size());
      if (model.size() < at + text.size()) model.resize(at + text.size());
      model.replace(at, text.size(), text);
    }
    const size_t from = random() % 300'000;
    ASSERT_EQ(read(*file, from, 80'000), from < model.size() ? model.substr(from, 80'000) : "") << i;
  }
}

TEST_F(MemServerTest, LentContentsAreReadInPlaceAndCopiedWhereWritten) {
  const std::string lent(MemContents::chunk_size * 2 + 1000, 'l');
  const std::string before = lent;
  MemBudget budget(MemContents::chunk_size);
  MemContents contents(budget);
  contents.lend(std::as_bytes(std::span(lent)));
  std::string model = lent;
  EXPECT_EQ(contents.allocated(), lent.size());
  EXPECT_EQ(contents.lent(7, UINT64_MAX)->data(), std::as_bytes(std::span(lent)).data() + 7);
  EXPECT_EQ(contents.lent(7, 20)->size(), 20U);
  EXPECT_EQ(contents.lent(7, UINT64_MAX)->size(), lent.size() - 7);
  ASSERT_EQ(contents.write(lent.size() - 10, std::as_bytes(std::span(std::string_view("0123456789abcdef")))), 16U);
  model.replace(model.size() - 10, 10, "0123456789abcdef");
  std::string all(model.size() + 5, '?');
  EXPECT_EQ(contents.read(0, std::as_writable_bytes(std::span(all))), model.size());
  all.resize(model.size());
  EXPECT_EQ(all, model);
  EXPECT_EQ(lent, before);
  EXPECT_EQ(budget.used(), 1024U);
  EXPECT_EQ(contents.allocated(), MemContents::chunk_size * 2 + 1024);
  EXPECT_EQ(contents.lent(5, UINT64_MAX)->size(), MemContents::chunk_size * 2 - 5);
  EXPECT_TRUE(contents.lent(MemContents::chunk_size * 2 + 3, 1)->empty());
  EXPECT_EQ(error_of(contents.write(MemContents::chunk_size, std::as_bytes(std::span(lent)).first(1))), ENOSPC);
  std::string pieces;
  ASSERT_TRUE(contents.each_piece([&](uint64_t offset, std::span<const std::byte> bytes) -> Result<void> {
    EXPECT_EQ(offset, pieces.size());
    pieces.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }));
  EXPECT_EQ(pieces, model);
}

// Pages as a string that programs could have mapped.
struct Pages final : MemPages {
  std::span<std::byte> bytes() override { return std::as_writable_bytes(std::span(text)); }
  Result<void> resize(uint64_t size) override {
    if (size > limit) return osp::fail(ENOMEM);
    text.resize((size + page_size - 1) / page_size * page_size);
    return {};
  }
  [[nodiscard]] bool is_executed() const override { return executed; }
  pip::PageRange range(uint64_t offset) override { return {.fd = 7, .fd_offset = offset, .size = text.size()}; }
  std::string text;
  uint64_t limit = UINT64_MAX;
  bool executed = false;
};

TEST_F(MemServerTest, MappedContentsAreInPagesAndBehaveAsBefore) {
  auto file = open("f");
  std::shared_ptr<Pages> made;
  server_ = MemServer({.pages = [&] { return made = std::make_shared<Pages>(); }});
  file = open("f");
  ASSERT_EQ(write(*file, 70'000, "begin"), 5U);
  std::string model = std::string(70'000, '\0') + "begin";
  const auto range = file->map(4096, 4096, true);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->fd, 7);
  EXPECT_EQ(range->fd_offset, 4096U);
  EXPECT_EQ(made->text.substr(0, model.size()), model);
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    const uint64_t at = random() % 200'000;
    if (i % 5 == 0) {
      pip::AttributeChange change;
      change.has_size = true, change.size = at;
      ASSERT_TRUE(file->change(change));
      model.resize(at);
    } else if (i % 7 == 0 && !model.empty()) {  // as a program does, also behind the end
      made->text[at % made->text.size()] = 'm';
      if (at % made->text.size() < model.size()) model[at % made->text.size()] = 'm';
    } else {
      const std::string text(1 + random() % 20'000, static_cast<char>('a' + i % 26));
      ASSERT_EQ(write(*file, at, text), text.size());
      if (model.size() < at + text.size()) model.resize(at + text.size());
      model.replace(at, text.size(), text);
    }
    ASSERT_EQ(read(*file, 0, 300'000), model) << i;
  }
  EXPECT_EQ(file->stat()->blocks, (model.size() + 4095) / 4096 * 8);
  EXPECT_EQ(error_of(open("f", reading)->map(0, 4096, true)), EACCES);
  EXPECT_EQ(error_of(open("", {.read = true, .directory = true})->map(0, 4096, false)), ENODEV);
  made->limit = model.size();
  EXPECT_EQ(write(*file, model.size() + 100'000, "no room"), 0U);
  EXPECT_EQ(read(*file, 0, 300'000), model);
}

TEST_F(MemServerTest, ProgramsKeepThePagesThatTheyRunFrom) {
  std::vector<std::shared_ptr<Pages>> made;
  server_ = MemServer({.pages = [&] { return made.emplace_back(std::make_shared<Pages>()); }});
  auto file = open("f");
  ASSERT_EQ(write(*file, 0, "program"), 7U);
  ASSERT_TRUE(file->map(0, 4096, false));
  made[0]->executed = true;
  pip::AttributeChange change;
  change.has_size = true, change.size = 3;
  ASSERT_TRUE(file->change(change));
  ASSERT_EQ(write(*file, 3, "file"), 4U);
  EXPECT_EQ(made[0]->text.substr(0, 7), "program");
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[1]->text.substr(0, 8), std::string_view("profile\0", 8));
}

TEST_F(MemServerTest, PagesCostTheBudgetAndReleaseWhatWasLent) {
  struct Lender final : MemLender {
    Result<void> fill(std::span<const std::byte>) override { return {}; }
    void release(std::span<const std::byte> memory) override { released = memory.size(); }
    size_t released = 0;
  } lender;
  const std::string lent(MemContents::chunk_size, 'l');
  MemBudget budget(MemContents::chunk_size + 8192);
  {
    MemContents contents(budget);
    contents.lend(std::as_bytes(std::span(lent)), &lender);
    auto pages = std::make_shared<Pages>();
    ASSERT_TRUE(contents.move_to(pages, {}));
    EXPECT_EQ(lender.released, lent.size());
    EXPECT_EQ(pages->text, lent);
    EXPECT_EQ(budget.used(), lent.size());
    const std::string more(10'000, 'm');
    EXPECT_EQ(contents.write(lent.size() - 1, std::as_bytes(std::span(more))).value_or(0), 1U);  // what needs no page
    EXPECT_EQ(error_of(contents.write(lent.size(), std::as_bytes(std::span(more)))), ENOSPC);
    EXPECT_EQ(contents.write(lent.size(), std::as_bytes(std::span(more)).first(8000)).value_or(0), 8000U);
    EXPECT_EQ(contents.allocated(), lent.size() + 8192);
    ASSERT_TRUE(contents.resize(1));
    EXPECT_EQ(budget.used(), 4096U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST_F(MemServerTest, WhatIsLentIsFilledWhereItIsRead) {
  struct Lender final : MemLender {
    Result<void> fill(std::span<const std::byte> memory) override {
      if (broken) return fail_with();
      filled.emplace_back(memory.data() - begin, memory.size());
      return {};
    }
    static Result<void> fail_with() { return osp::fail(EIO); }
    const std::byte* begin = nullptr;
    bool broken = false;
    std::vector<std::pair<size_t, size_t>> filled;
  } lender;
  constexpr size_t chunk = MemContents::chunk_size;
  const std::string lent(chunk * 2, 'l');
  lender.begin = std::as_bytes(std::span(lent)).data();
  MemBudget budget(chunk * 2);
  MemContents contents(budget);
  contents.lend(std::as_bytes(std::span(lent)), &lender);
  EXPECT_TRUE(lender.filled.empty());
  std::array<std::byte, 10> some{};
  EXPECT_EQ(contents.read(chunk - 4, some), 10U);
  EXPECT_THAT(lender.filled, ElementsAre(std::pair(chunk - 4, 4), std::pair(chunk, 6)));
  EXPECT_EQ(contents.lent(100, 5)->size(), 5U);
  EXPECT_EQ(lender.filled.back(), std::pair(size_t{100}, size_t{5}));
  EXPECT_EQ(contents.write(chunk + 1, some), 10U);
  EXPECT_EQ(lender.filled.back(), std::pair(chunk, chunk));
  lender.broken = true;
  EXPECT_EQ(error_of(contents.read(0, some)), EIO);
  EXPECT_EQ(error_of(contents.lent(0, 1)), EIO);
  EXPECT_EQ(error_of(contents.write(0, some)), EIO);
  EXPECT_EQ(contents.read(chunk, some), 10U);
  EXPECT_EQ(contents.resize(0), Result<void>());
  EXPECT_EQ(contents.write(0, some), 10U);
}

TEST_F(MemServerTest, LentContentsThatWereCutOffAreZeros) {
  const std::string lent(MemContents::chunk_size + 1000, 'l');
  MemBudget budget(MemContents::chunk_size * 4);
  MemContents contents(budget);
  contents.lend(std::as_bytes(std::span(lent)));
  ASSERT_TRUE(contents.resize(100));
  ASSERT_TRUE(contents.resize(lent.size()));
  std::string all(lent.size(), '?');
  EXPECT_EQ(contents.read(0, std::as_writable_bytes(std::span(all))), lent.size());
  EXPECT_EQ(all, std::string(100, 'l') + std::string(lent.size() - 100, '\0'));
  ASSERT_EQ(contents.write(50, std::as_bytes(std::span(std::string_view("x")))), 1U);
  EXPECT_EQ(contents.read(49, std::as_writable_bytes(std::span(all).first(60))), 60U);
  EXPECT_EQ(all.substr(0, 60), "lx" + std::string(49, 'l') + std::string(9, '\0'));
}

TEST_F(MemServerTest, AppendsGoToTheEnd) {
  const auto file = open("f");
  const auto log = open("f", {.write = true, .append = true});
  write(*file, 0, "12345");
  EXPECT_EQ(log->append(std::as_bytes(std::span("67", 2))), 7U);
  EXPECT_EQ(write(*log, 0, "8"), 1U);
  EXPECT_EQ(read(*file), "12345678");
}

TEST_F(MemServerTest, TheLimitHolds) {
  MemServer small({.size_limit = 100'000});
  auto opened = small.open("f", creating);
  ASSERT_TRUE(opened);
  const std::string much(200'000, 'x');
  const auto part = opened->file->write(0, std::as_bytes(std::span(much)));
  ASSERT_TRUE(part);
  EXPECT_EQ(*part, 65'536U);
  EXPECT_EQ(error_of(opened->file->write(*part, std::as_bytes(std::span(much)))), ENOSPC);
  EXPECT_LT(small.statfs()->free, 10U);
  opened->file.reset();
  ASSERT_TRUE(small.remove("f", false));
  EXPECT_GE(small.statfs()->free, 23U);
  int made = 0;
  while (small.make("d" + std::to_string(made), {.mode = S_IFDIR | 0755, .device = 0, .target = {}})) ++made;
  EXPECT_GT(made, 100);
  EXPECT_LT(made, 200);
}

TEST_F(MemServerTest, AListingIsStableWhileOpen) {
  for (const auto* name : {"a", "b", "c", "d"}) open(name);
  const auto directory = open("", {.read = true, .directory = true});
  EXPECT_EQ(directory->read_directory(0, 2)->size(), 2U);
  ASSERT_TRUE(server_.remove("a", false));
  open("aa");
  std::vector<std::string> rest;
  const auto part = directory->read_directory(2, 10).value();
  for (const auto& entry : part) rest.push_back(entry.name);
  EXPECT_THAT(rest, ElementsAre("c", "d"));
  EXPECT_EQ(directory->read_directory(0, 10)->size(), 4U);
  EXPECT_TRUE(directory->read_directory(4, 10)->empty());
}

TEST_F(MemServerTest, ThePermissionsOfItsUserHold) {
  ASSERT_TRUE(make("d", S_IFDIR | 0755));
  const auto file = open("d/f");
  const auto set_mode = [&](std::string_view path, uint32_t mode) {
    pip::AttributeChange change{.has_mode = true};
    change.mode = mode;
    return server_.change(path, change);
  };
  ASSERT_TRUE(set_mode("d/f", 0400));
  EXPECT_EQ(error_of(server_.open("d/f", {.write = true})), EACCES);
  EXPECT_EQ(error_of(server_.open("d/f", {.read = true, .truncate = true})), EACCES);
  ASSERT_TRUE(set_mode("d", 0500));
  EXPECT_EQ(error_of(server_.remove("d/f", false)), EACCES);
  EXPECT_EQ(error_of(make("d/new", S_IFREG | 0644)), EACCES);
  EXPECT_EQ(error_of(server_.rename("d/f", "f", 0)), EACCES);
  ASSERT_TRUE(set_mode("d", 0600));
  EXPECT_EQ(error_of(server_.stat("d/f")), EACCES);
  pip::AttributeChange owner{.has_uid = true};
  EXPECT_EQ(error_of(server_.change("d", owner)), EPERM);
  EXPECT_EQ(read(*file), "");
}

TEST_F(MemServerTest, TimesAndVersions) {
  const auto file = open("f");
  const auto made = *file->stat();
  write(*file, 0, "x");
  const auto written = *file->stat();
  EXPECT_GT(written.mtime_ns, made.mtime_ns);
  EXPECT_GT(written.version, made.version);
  pip::AttributeChange change{.has_atime = true, .has_mtime = true};
  change.atime_ns = 5;
  change.mtime_ns = 7;
  ASSERT_TRUE(server_.change("f", change));
  EXPECT_EQ(server_.stat("f")->atime_ns, 5);
  EXPECT_EQ(server_.stat("f")->mtime_ns, 7);
  EXPECT_GT(server_.stat("f")->ctime_ns, written.ctime_ns);
  const auto before = server_.stat("")->mtime_ns;
  ASSERT_TRUE(server_.rename("f", "g", 0));
  EXPECT_GT(server_.stat("")->mtime_ns, before);
  EXPECT_EQ(server_.stat("g")->id, made.id);
}

TEST_F(MemServerTest, UserAttributes) {
  open("f");
  ASSERT_TRUE(make("s", S_IFLNK, "f"));
  EXPECT_EQ(error_of(server_.get_attribute("f", "user.a")), ENODATA);
  ASSERT_TRUE(server_.set_attribute("f", "user.a", std::string_view("1\0002", 3), XATTR_CREATE));
  EXPECT_EQ(server_.get_attribute("f", "user.a")->size(), 3U);
  EXPECT_EQ(error_of(server_.set_attribute("f", "user.a", "", XATTR_CREATE)), EEXIST);
  EXPECT_EQ(error_of(server_.set_attribute("f", "user.b", "", XATTR_REPLACE)), ENODATA);
  EXPECT_EQ(error_of(server_.set_attribute("f", "trusted.a", "", 0)), EOPNOTSUPP);
  EXPECT_EQ(error_of(server_.set_attribute("f", "user.b", std::string(70'000, 'x'), 0)), E2BIG);
  EXPECT_EQ(error_of(server_.set_attribute("s", "user.a", "", 0)), EPERM);
  EXPECT_THAT(*server_.list_attributes("f"), ElementsAre("user.a"));
  ASSERT_TRUE(server_.remove_attribute("f", "user.a"));
  EXPECT_TRUE(server_.list_attributes("f")->empty());
}

TEST_F(MemServerTest, SpecialFilesAreThereButDoNotOpen) {
  ASSERT_TRUE(server_.make("tty", {.mode = S_IFCHR | 0600, .device = 0x501, .target = {}}));
  ASSERT_TRUE(make("p", S_IFIFO | 0600));
  EXPECT_EQ(server_.stat("tty")->device, 0x501U);
  EXPECT_EQ(error_of(server_.open("tty", reading)), ENXIO);
  EXPECT_EQ(error_of(server_.open("p", reading)), ENXIO);
  EXPECT_EQ(error_of(server_.open("p", {.path_only = true})), 0);
}

TEST_F(MemServerTest, ALinkIsReportedWhereItEnds) {
  ASSERT_TRUE(make("d", S_IFDIR | 0755));
  ASSERT_TRUE(make("d/l", S_IFLNK, "../x"));
  const auto walked = server_.stat("d/l/more/still");
  ASSERT_FALSE(walked);
  EXPECT_EQ(walked.error().consumed, 3U);
  EXPECT_EQ(walked.error().target, "../x");
  const auto renamed = server_.rename("d", "d/l/z", 0);
  ASSERT_FALSE(renamed);
  EXPECT_EQ(renamed.error().which, 1);
}

TEST_F(MemServerTest, ASetGroupDirectoryPassesItsGroupOn) {
  ASSERT_TRUE(make("d", S_IFDIR | S_ISGID | 0755));
  ASSERT_TRUE(make("d/e", S_IFDIR | 0755));
  EXPECT_EQ(server_.stat("d/e")->mode & S_ISGID, static_cast<uint32_t>(S_ISGID));
}

TEST_F(MemServerTest, ADeepTreeIsTakenApartWithoutAStack) {
  MemServer deep;
  // Each level is made beside the last and moved below it, so that no path gets long.
  ASSERT_TRUE(deep.make("a", {.mode = S_IFDIR | 0755, .device = 0, .target = {}}));
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(deep.make("b", {.mode = S_IFDIR | 0755, .device = 0, .target = {}}));
    ASSERT_TRUE(deep.rename("a", "b/a", 0));
    ASSERT_TRUE(deep.rename("b", "a", 0));
  }
  EXPECT_EQ(deep.stat("a/a/a")->links, 3U);
}

}  // namespace
}  // namespace osp::ns::test
