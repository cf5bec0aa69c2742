// The layers below the tree: each interface's implementations pass the same tests.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "pip/store/chunker.h"
#include "pip/store/content_commit.h"
#include "pip/store/host_io.h"
#include "pip/store/inode.h"
#include "pip/store/memory_chunks.h"
#include "pip/store/memory_metadata.h"
#include "pip/store/pack_files.h"
#include "pip/store/pack_record.h"
#include "pip/store/retention.h"
#include "pip/store/rocks_metadata.h"

namespace osp::pip::store {
namespace {

struct Folder {
  Folder() : path(mkdtemp(name)) {}
  ~Folder() { std::filesystem::remove_all(path); }
  char name[32] = "/tmp/osp-store-XXXXXX";
  std::string path;
};

std::string random_bytes(std::mt19937_64& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class MetadataTest : public testing::TestWithParam<bool> {
 protected:
  MetadataTest() { open(); }
  void open() {
    store_.reset();
    if (GetParam()) {
      store_ = std::move(*open_rocks_metadata(folder_.path + "/m"));
    } else {
      store_ = std::make_unique<MemoryMetadata>();
    }
  }
  void put(const std::string& key, const std::string& value) {
    Batch batch;
    batch.put(key, value);
    ASSERT_TRUE(store_->write(batch));
  }
  std::string keys(const std::string& prefix) {
    std::string all;
    EXPECT_TRUE(for_each(*store_, prefix, [&](auto key, auto value) -> Result<void> {
      (all += key) += '=';
      (all += value) += ' ';
      return {};
    }));
    return all;
  }
  Folder folder_;
  std::unique_ptr<MetadataStore> store_;
};
INSTANTIATE_TEST_SUITE_P(Both, MetadataTest, testing::Bool());

TEST_P(MetadataTest, KeepsKeysInOrder) {
  put("b2", "x"), put("a", "1"), put("b1", "y"), put("c", "2");
  EXPECT_EQ(keys("b"), "b1=y b2=x ");
  EXPECT_EQ(**store_->get("a"), "1");
  EXPECT_EQ(*store_->get("aa"), std::nullopt);
  EXPECT_EQ((*store_->last("b", "b1z"))->first, "b1");
  EXPECT_EQ((*store_->last("b", "b2"))->second, "x");
  EXPECT_EQ(*store_->last("b", "b0"), std::nullopt);
  EXPECT_EQ((*store_->last("", "\xff"))->first, "c");
}

TEST_P(MetadataTest, AppliesABatchInOrder) {
  put("a", "1");
  Batch batch;
  batch.put("a", "2"), batch.erase("a"), batch.put("b", std::string("\0\xff", 2)), batch.erase("none");
  ASSERT_TRUE(store_->write(batch));
  EXPECT_EQ(keys("a"), "");
  EXPECT_EQ(**store_->get("b"), std::string("\0\xff", 2));
  EXPECT_TRUE(store_->sync());
}

TEST_P(MetadataTest, AScanSeesWhatWasThereWhenItBegan) {
  put("a1", ""), put("a2", "");
  const auto cursor = store_->scan("a", "b");
  put("a3", "");
  int count = 0;
  for (; cursor->is_valid(); cursor->next()) ++count;
  EXPECT_EQ(count, 2);
  EXPECT_EQ(end_of("a\xff"), "b");
}

TEST(RocksMetadata, IsThereAgain) {
  const Folder folder;
  Batch batch;
  batch.put("k", "v");
  {
    const auto store = std::move(*open_rocks_metadata(folder.path));
    ASSERT_TRUE(store->write(batch));
  }
  EXPECT_EQ(**(*open_rocks_metadata(folder.path))->get("k"), "v");
}

class ChunksTest : public testing::TestWithParam<bool> {
 protected:
  ChunksTest() {
    if (GetParam()) {
      store_ = std::move(*PackFiles::create(folder_.path, index_, false));
    } else {
      store_ = std::make_unique<MemoryChunks>();
    }
  }
  Folder folder_;
  MemoryMetadata index_;
  std::unique_ptr<ChunkStore> store_;
};
INSTANTIATE_TEST_SUITE_P(Both, ChunksTest, testing::Bool());

TEST_P(ChunksTest, GivesBackWhatWasPut) {
  std::mt19937_64 random(1);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, ChunkStore::most}) {
    for (const std::string& bytes : {random_bytes(random, size), std::string(size, 'a')}) {
      const auto id = store_->put(bytes);
      ASSERT_TRUE(id);
      EXPECT_EQ(*id, ChunkId::of(bytes));
      EXPECT_EQ(**store_->get(*id), bytes);
    }
  }
  EXPECT_EQ(store_->put(std::string(ChunkStore::most + 1, 'a')).error(), Error(EMSGSIZE));
  EXPECT_EQ(store_->get(ChunkId::of("none")).error(), Error(ENOENT));
  EXPECT_TRUE(store_->is_dirty());
  EXPECT_TRUE(store_->sync());
  EXPECT_FALSE(store_->is_dirty());
}

TEST_P(ChunksTest, KeepsOneOfEach) {
  std::mt19937_64 random(2);
  const std::string bytes = random_bytes(random, 100000);
  ASSERT_TRUE(store_->put(bytes));
  const uint64_t before = store_->stored_bytes();
  ASSERT_TRUE(store_->put(bytes));
  EXPECT_EQ(store_->stored_bytes(), before);
}

TEST_P(ChunksTest, SweepsWhatIsNotWanted) {
  std::mt19937_64 random(3);
  std::vector<ChunkId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(*store_->put(random_bytes(random, 50000)));
  const auto swept = store_->sweep([&](const ChunkId& id) { return id == ids[7]; });
  ASSERT_TRUE(swept);
  EXPECT_EQ(swept->chunks, 19U);
  EXPECT_GT(swept->bytes, 18U * 50000);
  EXPECT_TRUE(*store_->has(ids[7]));
  EXPECT_EQ(ChunkId::of(**store_->get(ids[7])), ids[7]);
  EXPECT_FALSE(*store_->has(ids[8]));
  EXPECT_TRUE(store_->put("again"));
  std::string wrong;
  EXPECT_TRUE(store_->verify([&](const std::string& what) { wrong += what; }, [](uint64_t) {}));
  EXPECT_EQ(wrong, "");
}

TEST(PackFiles, FindsDamage) {
  const Folder folder;
  MemoryMetadata index;
  const auto store = std::move(*PackFiles::create(folder.path, index, false));
  const ChunkId id = *store->put(std::string(3000, 'x') + "end");
  {
    std::fstream file(folder.path + "/00000001.pack", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(pack_start + pack_header_size + 3);
    file.put('!');
  }
  EXPECT_EQ(store->get(id).error(), Error(EBADMSG));
  int wrong = 0;
  EXPECT_TRUE(store->verify([&](const std::string&) { ++wrong; }, [](uint64_t) {}));
  EXPECT_EQ(wrong, 1);
}

TEST(PackFiles, ForgetsWhatAPowerCutTook) {
  const Folder folder;
  MemoryMetadata index;
  auto store = std::move(*PackFiles::create(folder.path, index, false));
  std::mt19937_64 random(4);
  const ChunkId kept = *store->put(random_bytes(random, 1000));
  ASSERT_TRUE(store->sync());
  const ChunkId torn = *store->put(random_bytes(random, 1000));
  const std::string bytes = random_bytes(random, 1000);
  const ChunkId lost = *store->put(bytes);
  store.reset();
  const std::string pack = folder.path + "/00000001.pack";
  std::filesystem::resize_file(pack, std::filesystem::file_size(pack) - 1500);
  store = std::move(*PackFiles::create(folder.path, index, true));
  EXPECT_TRUE(*store->has(kept));
  EXPECT_FALSE(*store->has(torn));
  EXPECT_FALSE(*store->has(lost));
  ASSERT_TRUE(store->put(bytes));  // it is stored anew, and not in the torn file
  EXPECT_EQ(**store->get(lost), bytes);
}

TEST(PackRecord, ChecksEverything) {
  std::string record;
  const std::string bytes(1000, 'q');
  append_pack_record(ChunkId::of(bytes), bytes, record);
  EXPECT_EQ(read_pack_record(ChunkId::of(bytes), record), bytes);
  EXPECT_FALSE(read_pack_record(ChunkId::of("other"), record));
  for (size_t i = 0; i < record.size(); ++i) {
    if (i >= 13 && i < 16) continue;  // reserved
    std::string bad = record;
    bad[i] = static_cast<char>(bad[i] ^ 0x41);
    EXPECT_FALSE(read_pack_record(ChunkId::of(bytes), bad)) << i;
  }
}

TEST(Chunker, CutsWhereItAlwaysDid) {
  std::mt19937_64 random(5);
  const std::string bytes = random_bytes(random, 1U << 20);
  std::vector<size_t> sizes;
  for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(sizes.back()))
    sizes.push_back(Chunker::cut(rest));
  // Another table would cut elsewhere, and nothing stored before would be found again.
  EXPECT_EQ(sizes[0], 81116U);
  EXPECT_EQ(sizes.size(), 15U);
  EXPECT_EQ(Chunker::cut(""), 0U);
  EXPECT_EQ(Chunker::cut(std::string(1U << 20, 'a')), Chunker::most);
}

// A file as a string, and as content that changes are laid over.
class ContentModel {
 public:
  explicit ContentModel(uint64_t seed) : random_(seed) {}

  void step() {
    Extents extents;
    std::string next = now_;
    uint64_t base_end = now_.size();
    for (uint64_t i = random_() % 4; i > 0; --i) {
      if (random_() % 4 == 0) {
        next.resize(random_() % (next.size() + 200000));
        base_end = std::min<uint64_t>(base_end, next.size());
        while (!extents.empty() && extents.rbegin()->second > next.size()) {
          const auto last = std::prev(extents.end());
          if (last->first < next.size())
            last->second = next.size();
          else
            extents.erase(last);
        }
        continue;
      }
      const uint64_t start = random_() % (next.size() + (random_() % 3 == 0 ? 300000 : 1));
      const std::string bytes = random_bytes(random_, 1 + random_() % (random_() % 2 == 0 ? 100 : 400000));
      if (start + bytes.size() > next.size()) next.resize(start + bytes.size());
      next.replace(start, bytes.size(), bytes);
      merge(extents, start, start + bytes.size());
    }
    const auto read = [&](uint64_t offset, std::span<std::byte> into) -> Result<void> {
      memcpy(into.data(), next.data() + offset, into.size());
      return {};
    };
    const Changes changes{.extents = &extents, .base_end = base_end, .size = next.size(), .read = read};
    auto content = apply_changes(content_, changes, chunks_);
    ASSERT_TRUE(content);
    const auto record = content->encode(chunks_);
    ASSERT_TRUE(record);
    content_ = std::move(*Content::decode(*record, chunks_));
    now_ = std::move(next);
    compare();
  }

 private:
  static void merge(Extents& extents, uint64_t start, uint64_t end) {
    for (auto it = extents.begin(); it != extents.end();) {
      if (it->second < start || it->first > end) {
        ++it;
        continue;
      }
      start = std::min(start, it->first), end = std::max(end, it->second);
      it = extents.erase(it);
    }
    extents[start] = end;
  }
  void compare() {
    ASSERT_EQ(content_.size(), now_.size());
    std::string all(now_.size() + 10, 'x');
    ASSERT_TRUE(content_.read(0, std::as_writable_bytes(std::span(all)), chunks_));
    ASSERT_TRUE(all == now_ + std::string(10, '\0'));
    const uint64_t from = random_() % (now_.size() + 1);
    std::string part(random_() % 70000, 'x');
    ASSERT_TRUE(content_.read(from, std::as_writable_bytes(std::span(part)), chunks_));
    std::string expected = now_.substr(from, part.size());
    expected.resize(part.size());
    ASSERT_TRUE(part == expected);
  }

  std::mt19937_64 random_;
  MemoryChunks chunks_;
  Content content_;
  std::string now_;
};

TEST(Content, IsWhatWasLaidOver) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    ContentModel model(seed);
    for (int i = 0; i < 25 && !testing::Test::HasFatalFailure(); ++i) model.step();
  }
}

Result<void> zeros(uint64_t, std::span<std::byte> into) {
  std::ranges::fill(into, std::byte{0});
  return {};
}

TEST(Content, ASmallChangeOfALargeFileStoresLittle) {
  MemoryChunks chunks;
  std::mt19937_64 random(6);
  std::string file = random_bytes(random, 24U << 20);
  const auto read = [&](uint64_t offset, std::span<std::byte> into) -> Result<void> {
    memcpy(into.data(), file.data() + offset, into.size());
    return {};
  };
  Extents all = {{0, file.size()}};
  auto content = apply_changes(Content(), {.extents = &all, .base_end = 0, .size = file.size(), .read = read}, chunks);
  ASSERT_TRUE(content && content->encode(chunks));
  const uint64_t before = chunks.stored_bytes();
  file.replace(10U << 20, 4096, random_bytes(random, 4096));
  Extents some = {{10U << 20, (10U << 20) + 4096}};
  auto next =
      apply_changes(*content, {.extents = &some, .base_end = file.size(), .size = file.size(), .read = read}, chunks);
  ASSERT_TRUE(next);
  const auto record = next->encode(chunks);
  ASSERT_TRUE(record);
  EXPECT_LT(chunks.stored_bytes() - before, 4 * Chunker::most);
  EXPECT_LT(record->size(), 2000U);
}

TEST(Content, HolesCostNothing) {
  MemoryChunks chunks;
  const uint64_t size = uint64_t{1} << 42;
  Extents some = {{size / 2, size / 2 + 10000}};
  auto content = apply_changes(Content(), {.extents = &some, .base_end = 0, .size = size, .read = zeros}, chunks);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->size(), size);
  EXPECT_EQ(content->allocated(), 0U);  // zeros that were written are a hole, too
  EXPECT_LT(content->encode(chunks)->size(), 200U);
}

TEST(Content, RefusesRecordsThatAreNone) {
  MemoryChunks chunks;
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string record = random_bytes(random, random() % 100);
    if (!record.empty()) record[0] = static_cast<char>(random() % 4);
    const auto content = Content::decode(record, chunks);
    std::string into(10, '\0');
    if (content) (void)content->read(0, std::as_writable_bytes(std::span(into)), chunks);
  }
  EXPECT_FALSE(Content::decode("", chunks));
  EXPECT_FALSE(Content::decode("\x03", chunks));
}

TEST(Records, AreWhatWasWritten) {
  Inode inode;
  inode.mode = 0100644, inode.uid = 7, inode.links = 2, inode.mtime_ns = -5, inode.size = 9, inode.version = 12;
  inode.committed = {.version = 11, .size = 8, .allocated = 8, .mtime_ns = 3};
  inode.is_draft = true, inode.draft_base_end = 4, inode.target = "t";
  inode.attributes["user.a"] = std::string("\0b", 2);
  const std::string record = encode(inode);
  EXPECT_EQ(encode(*decode_inode(record)), record);
  EXPECT_EQ(decode_inode(record)->without_draft().size, 8U);
  std::mt19937_64 random(8);
  for (size_t size = 0; size < record.size(); ++size) EXPECT_FALSE(decode_inode(record.substr(0, size)) && size < 117);
  for (int i = 0; i < 20000; ++i) {  // any bytes are safe
    std::string bad = i % 2 == 0 ? record : random_bytes(random, random() % 200);
    if (!bad.empty()) bad[random() % bad.size()] = static_cast<char>(random());
    (void)decode_inode(bad), (void)decode_version(bad), (void)decode_entry(bad);
  }
  EXPECT_EQ(decode_entry(encode(Entry{.id = 5, .kind = 0040000}))->id, 5U);
  EXPECT_EQ(decode_version(encode(Version{.time_ns = 1, .size = 3, .content = "x"}))->content, "x");
}

TEST(Retention, KeepsWhatWasThereInAnInstantThatCounts) {
  constexpr uint64_t day = 86400;
  constexpr uint64_t now = 20000 * day + 5000;
  const auto daily = *Retention::parse("daily=3d,for=1h");
  EXPECT_TRUE(daily.keeps(now - 10, UINT64_MAX, now));
  EXPECT_TRUE(daily.keeps(now - 3000, now - 2990, now));
  EXPECT_FALSE(daily.keeps(now - 4900, now - 3700, now));
  EXPECT_TRUE(daily.keeps(20000 * day - 10, 20000 * day + 1, now));
  EXPECT_FALSE(daily.keeps(20000 * day - 10, 20000 * day, now));
  EXPECT_FALSE(daily.keeps(19990 * day, 19995 * day, now));
  EXPECT_EQ(Retention::parse("last=10")->least_versions(), 10U);
  EXPECT_TRUE(Retention::parse("all")->keeps(1, 2, now));
  for (const char* bad : {"", "last", "last=0", "for=1", "daily=d", "monthly=3d", "all,", "for=-1d"})
    EXPECT_FALSE(Retention::parse(bad)) << bad;
}

}  // namespace
}  // namespace osp::pip::store
