#include "libosp/native/root_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "libosp/native/cpio.h"
#include "libosp/native/frames.h"
#include "tests/libosp/native/archive.h"

namespace osp::native::test {
namespace {

using testing::HasSubstr;
using Server = std::shared_ptr<ns::MemServer>;

Server load_it(std::string_view archive, const ns::MemOptions& options = {}) {
  auto server = read_root_archive(bytes_of(archive), options, options.size_limit);
  EXPECT_TRUE(server) << server.error().reason;
  return server ? *server : nullptr;
}

load::Refusal refusal_of(std::string_view archive, const ns::MemOptions& options = {}) {
  auto server = read_root_archive(bytes_of(archive), options, options.size_limit);
  return server ? load::Refusal{Error(0), "accepted"} : server.error();
}

pip::Attributes stat_of(const Server& server, std::string_view path) {
  const auto attributes = server->stat(path);
  EXPECT_TRUE(attributes) << path;
  return attributes ? *attributes : pip::Attributes{};
}

std::string contents_of(const Server& server, std::string_view path) {
  auto opened = server->open(path, {.read = true});
  EXPECT_TRUE(opened) << path;
  if (!opened) return {};
  std::string text(opened->attributes.size, '?');
  EXPECT_EQ(opened->file->read(0, std::as_writable_bytes(std::span(text))).value_or(0), text.size());
  return text;
}

// A file of every kind.
std::string example() {
  return archive_of(
      {{.name = ".", .mode = S_IFDIR | 0711},
       {.name = "./bin", .mode = S_IFDIR | 0755, .mtime = 5},
       {.name = "./bin/one", .mode = S_IFREG | 04755, .contents = "first", .uid = 7, .gid = 8, .mtime = 9},
       {.name = "bin/two", .mode = S_IFREG | 0600, .contents = std::string(100'000, 'x')},
       {.name = "/link", .mode = S_IFLNK | 0777, .contents = "bin/one"},
       {.name = "dev/null", .mode = S_IFCHR | 0666, .special_major = 1, .special_minor = 3},
       {.name = "pipe", .mode = S_IFIFO | 0644},
       {.name = "empty", .mode = S_IFREG | 0644}});
}

void expect_example(const Server& server) {
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(stat_of(server, "").mode, S_IFDIR | 0711U);
  EXPECT_EQ(stat_of(server, "").links, 4U);
  EXPECT_EQ(stat_of(server, "bin").mtime_ns, 5'000'000'000);
  const pip::Attributes one = stat_of(server, "bin/one");
  EXPECT_EQ(one.mode, S_IFREG | 04755U);
  EXPECT_EQ(one.uid, 7U);
  EXPECT_EQ(one.gid, 8U);
  EXPECT_EQ(one.mtime_ns, 9'000'000'000);
  EXPECT_EQ(one.links, 1U);
  EXPECT_EQ(contents_of(server, "bin/one"), "first");
  EXPECT_EQ(contents_of(server, "bin/two"), std::string(100'000, 'x'));
  EXPECT_EQ(server->read_link("link").value_or(""), "bin/one");
  EXPECT_EQ(stat_of(server, "dev").mode, S_IFDIR | 0755U);  // the archive has none
  EXPECT_EQ(stat_of(server, "dev/null").mode, S_IFCHR | 0666U);
  EXPECT_EQ(stat_of(server, "dev/null").device, makedev(1, 3));
  EXPECT_EQ(stat_of(server, "pipe").mode, S_IFIFO | 0644U);
  EXPECT_EQ(stat_of(server, "empty").size, 0U);
  EXPECT_EQ(server->tree().file_count(), 9U);
}

TEST(RootArchive, EveryKindOfFileIsThere) { expect_example(load_it(example())); }

// What the last entry's directory was called is no way to find it where the entry ended in "/" or "/.".
TEST(RootArchive, NamesAreFoundFromTheRootWhateverTheLastEntryWas) {
  const auto file = [](const char* name) { return Entry{.name = name, .mode = S_IFREG | 0644}; };
  const auto folder = [](const char* name) { return Entry{.name = name, .mode = S_IFDIR | 0755}; };
  EXPECT_TRUE(S_ISREG(stat_of(load_it(archive_of({file("/first")})), "first").mode));
  const Server server = load_it(archive_of({folder("a/."), file("a/x"), folder("b/c/"), file("//y"), folder("b/c/."),
                                            file("b/c/z"), folder("d/"), file("d/u"), file("d/./v")}));
  ASSERT_NE(server, nullptr);
  for (const char* path : {"a/x", "y", "b/c/z", "d/u", "d/v"}) EXPECT_TRUE(S_ISREG(stat_of(server, path).mode)) << path;
}

TEST(RootArchive, CompressedInOneFrameOrMoreWithOrWithoutTheirSizes) {
  const std::string plain = example();
  expect_example(load_it(compressed(plain)));
  expect_example(load_it(compressed(plain, false)));
  const std::string_view text = plain;
  const std::string parts = skippable("first") + compressed(text.substr(0, 500)) + skippable("") +
                            compressed(text.substr(500, 50'000), false) + compressed(text.substr(50'500)) +
                            skippable("an index");
  expect_example(load_it(parts));
}

TEST(RootArchive, ContentsStayInTheArchiveUntilTheyAreWritten) {
  const std::string archive = example(), before = archive;
  const Server server = load_it(archive);
  const auto node = server->tree().find("bin/two");
  ASSERT_TRUE(node);
  const auto lent = (*node)->contents.lent(0, UINT64_MAX).value();
  ASSERT_EQ(lent.size(), 100'000U);
  EXPECT_EQ(reinterpret_cast<const char*>(lent.data()), archive.data() + archive.find("xxxx"));
  auto opened = server->open("bin/two", {.read = true, .write = true});
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->file->write(1, bytes_of("yy")).value_or(0), 2U);
  EXPECT_EQ(contents_of(server, "bin/two"), "xyy" + std::string(100'000 - 3, 'x'));
  EXPECT_EQ(archive, before);
}

TEST(RootArchive, AnOpenFileOutlivesItsServer) {
  Server server = load_it(compressed(example()));
  auto opened = server->open("bin/one", {.read = true});
  ASSERT_TRUE(opened);
  server.reset();
  std::string text(5, '?');
  EXPECT_EQ(opened->file->read(0, std::as_writable_bytes(std::span(text))).value_or(0), 5U);
  EXPECT_EQ(text, "first");
}

TEST(RootArchive, NamesOfOneInodeAreOneFileWhicheverBringsTheContents) {
  const Entry with{.name = "b", .contents = "text", .inode = 3, .links = 2};
  const Entry without{.name = "a", .inode = 3, .links = 2};
  const Entry other{.name = "c", .contents = "other", .inode = 3, .links = 1};
  for (const auto& archive : {archive_of({without, with, other}), archive_of({with, without, other})}) {
    const Server server = load_it(archive);
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(stat_of(server, "a").id, stat_of(server, "b").id);
    EXPECT_EQ(stat_of(server, "a").links, 2U);
    EXPECT_EQ(contents_of(server, "a"), "text");
    EXPECT_EQ(contents_of(server, "b"), "text");
    EXPECT_EQ(contents_of(server, "c"), "other");
    EXPECT_EQ(stat_of(server, "c").links, 1U);
  }
}

TEST(RootArchive, ArchivesOneBehindTheOtherAreLayers) {
  std::string archive = archive_of({{.name = "d", .mode = S_IFDIR | 0755},
                                    {.name = "d/f", .contents = "old", .inode = 1, .links = 2},
                                    {.name = "d/g", .inode = 1, .links = 2}});
  archive.resize((archive.size() + 511) / 512 * 512);
  archive += archive_of({{.name = "d", .mode = S_IFDIR | 0700},
                         {.name = "d/f", .contents = "new", .inode = 1, .links = 2},
                         {.name = "h", .inode = 1, .links = 2}});
  const Server server = load_it(archive);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(stat_of(server, "d").mode, S_IFDIR | 0700U);
  EXPECT_EQ(contents_of(server, "d/f"), "new");
  EXPECT_EQ(contents_of(server, "d/g"), "old");
  EXPECT_EQ(contents_of(server, "h"), "new");
  EXPECT_EQ(stat_of(server, "d/g").links, 1U);
}

TEST(RootArchive, FaultsNameTheEntryOrThePlace) {
  EXPECT_THAT(refusal_of("").reason, HasSubstr("trailer is missing at byte 0"));
  EXPECT_THAT(refusal_of("a tar, say").reason, HasSubstr("no header at byte 0"));
  const std::string good = archive_of({{.name = "f", .contents = std::string(50, 'c')}});
  EXPECT_THAT(refusal_of(good.substr(0, 60)).reason, HasSubstr("cut off in a header at byte 0"));
  EXPECT_THAT(refusal_of(good.substr(0, 111)).reason, HasSubstr("cut off in a name at byte 0"));
  EXPECT_THAT(refusal_of(good.substr(0, 130)).reason, HasSubstr("cut off in 'f' at byte 0"));
  EXPECT_THAT(refusal_of(good.substr(0, good.find("TRAILER") - 110)).reason, HasSubstr("trailer is missing"));
  std::string odd = good;
  odd[20] = 'g';
  EXPECT_THAT(refusal_of(odd).reason, HasSubstr("no number at byte 0"));
  EXPECT_THAT(refusal_of(archive_of({{.name = "a/../b"}})).reason, HasSubstr("'a/../b' at byte 0 leaves"));
  EXPECT_THAT(refusal_of(archive_of({{.name = "f"}, {.name = "f/g"}})).reason,
              HasSubstr("'f/g' at byte 112 is in what"));
  EXPECT_EQ(refusal_of(archive_of({{.name = "f"}, {.name = "f/g"}})).error.code, ENOTDIR);
  EXPECT_THAT(refusal_of(archive_of({{.name = "f"}, {.name = "f", .mode = S_IFDIR}})).reason, HasSubstr("'f' at byte"));
  EXPECT_THAT(refusal_of(archive_of({{.name = "f", .mode = S_IFDIR}, {.name = "f"}})).reason, HasSubstr("directory"));
  EXPECT_THAT(refusal_of(archive_of({{.name = "f", .mode = 0644}})).reason, HasSubstr("no known type"));
  EXPECT_THAT(refusal_of(archive_of({{.name = "l", .mode = S_IFLNK}})).reason,
              HasSubstr("'l' at byte 0 is a symbolic"));
  EXPECT_EQ(refusal_of(archive_of({{.name = std::string(256, 'n')}})).error.code, ENAMETOOLONG);
}

TEST(RootArchive, FramesWithATableAreUnpackedWhenTheyAreRead) {
  for (const size_t size : {100, 1000, 30'000, 1'000'000}) expect_example(load_it(in_frames(example(), size)));
  const std::string archive = in_frames(example(), 1000);
  const auto frames = Frames::open(bytes_of(archive), UINT64_MAX);
  ASSERT_TRUE(frames);
  CpioReader reader((*frames)->bytes(), frames->get());
  for (auto entry = reader.next(); entry && *entry; entry = reader.next()) {
  }
  EXPECT_EQ((*frames)->count(), 102U);
  EXPECT_EQ((*frames)->filled(), 3U);  // of about a hundred, where the headers are
  ASSERT_TRUE((*frames)->fill((*frames)->bytes().subspan(50'500, 1000)));
  EXPECT_EQ((*frames)->filled(), 5U);
  ASSERT_TRUE((*frames)->fill((*frames)->bytes()));
  EXPECT_EQ((*frames)->filled(), (*frames)->count());
  const std::string plain = example();
  EXPECT_EQ(std::memcmp((*frames)->bytes().data(), plain.data(), plain.size()), 0);
}

TEST(RootArchive, ADamagedFrameIsFoundWhenItIsRead) {
  std::string archive = in_frames(example(), 1000);
  const std::string hurt = compressed(std::string(1000, 'x'));
  const size_t at = archive.find(hurt);
  ASSERT_NE(at, std::string::npos);
  archive[at] = 'z';
  const Server server = load_it(archive);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(contents_of(server, "bin/one"), "first");
  auto opened = server->open("bin/two", {.read = true});
  ASSERT_TRUE(opened);
  std::string text(100'000, '?');
  const auto read = opened->file->read(0, std::as_writable_bytes(std::span(text)));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, EIO);
}

TEST(RootArchive, ATableThatDoesNotFitIsRefused) {
  const std::string good = in_frames(example(), 1000);
  const size_t flags = good.size() - 5, count = good.size() - 9, table = good.size() - 9 - 102 * 8;
  for (const auto& [at, byte, why] :
       {std::tuple(flags, '\4', "unknown flags"), std::tuple(count + 3, '\1', "longer than the archive"),
        std::tuple(count, '\1', "of another size"), std::tuple(table + 3, '\1', "frames are longer"),
        std::tuple(table, '\1', "more between")}) {
    std::string bad = good;
    bad[at] = byte;
    EXPECT_THAT(refusal_of(bad).reason, HasSubstr(why));
    EXPECT_EQ(refusal_of(bad).error.code, EBADMSG);
  }
  std::string first = good;
  first[4] = '\xff';
  EXPECT_THAT(refusal_of(first).reason, HasSubstr("cannot be unpacked"));
  EXPECT_EQ(refusal_of(good, {.size_limit = 90'000}).error.code, ENOSPC);
}

TEST(RootArchive, DamagedFramesAreFound) {
  for (const bool says_size : {true, false}) {
    const std::string frame = compressed(example(), says_size);
    EXPECT_EQ(refusal_of(frame.substr(0, frame.size() - 3)).error.code, EBADMSG);
    EXPECT_THAT(refusal_of(frame + "trash, of course").reason,
                HasSubstr("frame at byte " + std::to_string(frame.size())));
  }
}

TEST(RootArchive, TheLimitHolds) {
  const std::string plain = archive_of({{.name = "f", .contents = std::string(100'000, 'f')}});
  EXPECT_EQ(refusal_of(compressed(plain), {.size_limit = 90'000}).error.code, ENOSPC);
  EXPECT_EQ(refusal_of(compressed(plain, false), {.size_limit = 90'000}).error.code, ENOSPC);
  expect_example(load_it(compressed(example(), false), {.size_limit = 110'000}));
  const auto full = refusal_of(example(), {.size_limit = 4 * ns::MemTree::node_cost});
  EXPECT_EQ(full.error.code, ENOSPC);
  EXPECT_THAT(full.reason, HasSubstr("/link"));
}

}  // namespace
}  // namespace osp::native::test
