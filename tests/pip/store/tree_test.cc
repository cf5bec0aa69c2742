// The tree of a store against a directory of the host, with kills, power cuts, the past and what is kept of it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>

#include "pip/host_tree.h"
#include "pip/store/check.h"
#include "pip/store/collect.h"
#include "pip/store/content.h"
#include "pip/store/memory_chunks.h"
#include "pip/store/memory_metadata.h"
#include "pip/store/store_tree.h"

namespace osp::pip::store {
namespace {

struct Folder {
  Folder() : path(mkdtemp(name)) {}
  ~Folder() { std::filesystem::remove_all(path); }
  char name[32] = "/tmp/osp-store-XXXXXX";
  std::string path;
};

// The parts of a store that outlive it: what a store has of them only refers to them.
class MetadataOnDisk final : public MetadataStore {
 public:
  explicit MetadataOnDisk(MemoryMetadata& disk) : disk_(disk) {}
  Result<std::optional<std::string>> get(std::string_view key) override { return disk_.get(key); }
  std::unique_ptr<Cursor> scan(std::string_view from, std::string_view end) override { return disk_.scan(from, end); }
  Result<std::optional<Item>> last(std::string_view from, std::string_view to) override { return disk_.last(from, to); }
  Result<void> write(const Batch& batch) override { return disk_.write(batch); }
  Result<void> sync() override { return disk_.sync(); }

 private:
  MemoryMetadata& disk_;
};

class ChunksOnDisk final : public ChunkStore {
 public:
  explicit ChunksOnDisk(MemoryChunks& disk) : disk_(disk) {}
  Result<ChunkId> put(std::string_view contents) override { return disk_.put(contents); }
  Result<ChunkPtr> get(const ChunkId& id) override { return disk_.get(id); }
  Result<bool> has(const ChunkId& id) override { return disk_.has(id); }
  Result<void> sync() override { return disk_.sync(); }
  [[nodiscard]] bool is_dirty() const override { return disk_.is_dirty(); }
  Result<Swept> sweep(const std::function<bool(const ChunkId&)>& wanted) override { return disk_.sweep(wanted); }
  Result<void> verify(const std::function<void(const std::string&)>& wrong,
                      const std::function<void(uint64_t)>& progress) override {
    return disk_.verify(wrong, progress);
  }
  [[nodiscard]] uint64_t stored_bytes() const override { return disk_.stored_bytes(); }

 private:
  MemoryChunks& disk_;
};

std::string read_all(File& file, uint64_t size) {
  std::string bytes(size + 10, '\0');
  const auto got = file.read(0, std::as_writable_bytes(std::span(bytes)));
  bytes.resize(got ? *got : 0);
  return got ? bytes : "error " + std::to_string(got.error().code);
}

// All of a tree that a program could see, but for times and ids.
void dump(Server& server, const std::string& path, std::string& out) {
  const auto directory = server.open(path, {.read = true, .directory = true});
  ASSERT_TRUE(directory) << path;
  auto entries = *directory->file->read_directory(0, SIZE_MAX);
  std::ranges::sort(entries, {}, &DirectoryEntry::name);
  for (const DirectoryEntry& entry : entries) {
    const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
    const Attributes& a = entry.attributes;
    out += fmt::format("{} {:o} {} {}", below, a.mode, a.links, S_ISREG(a.mode) ? a.size : 0);
    if (S_ISLNK(a.mode)) out += " -> " + *server.read_link(below);
    if (S_ISREG(a.mode)) {
      const auto file = server.open(below, {.read = true});
      out += file ? fmt::format(" {:x}", std::hash<std::string>()(read_all(*file->file, a.size))) : " cannot be read";
    }
    if (!S_ISLNK(a.mode)) {
      const auto value = server.get_attribute(below, "user.x");
      out += value ? " x=" + *value : std::string();
    }
    out += "\n";
    if (S_ISDIR(a.mode)) dump(server, below, out);
  }
}

std::string dump(Server& server) {
  std::string out;
  dump(server, "", out);
  return out;
}

class StoreBox {
 public:
  StoreBox() { open(false); }

  void open(bool is_after_crash) {
    auto opened = Store::assemble(std::make_unique<MetadataOnDisk>(metadata), std::make_unique<ChunksOnDisk>(chunks),
                                  drafts.path, {.clock_ns = [this] { return clock_ns; }}, is_after_crash);
    ASSERT_TRUE(opened) << describe(opened.error());
    store = std::move(*opened);
    tree = std::make_unique<StoreTree>(*store, "test");
  }
  // What is in memory is gone.
  void close() { tree.reset(), store.reset(); }

  std::string wrong() {
    const auto found = check(*store, [](uint64_t, uint64_t) {});
    if (!found) return describe(found.error());
    std::string all;
    for (const std::string& one : found->wrong) all += one + "\n";
    return all;
  }
  [[nodiscard]] uint64_t second() const { return static_cast<uint64_t>(clock_ns / 1'000'000'000); }
  void pass_s(int64_t seconds) { clock_ns += seconds * 1'000'000'000; }

  MemoryMetadata metadata;
  MemoryChunks chunks;
  Folder drafts;
  int64_t clock_ns = 1'800'000'000'123'456'789;
  std::unique_ptr<Store> store;
  std::unique_ptr<StoreTree> tree;
};

class TreeTest : public testing::Test, protected StoreBox {
 protected:
  void write(const std::string& path, std::string_view text) {
    auto file = tree->open(path, {.read = true, .write = true, .truncate = true, .create = true, .permissions = 0644});
    ASSERT_TRUE(file) << path;
    ASSERT_TRUE(file->file->write(0, std::as_bytes(std::span(text))));
    ASSERT_TRUE(file->file->close());
  }
  static std::string read(Server& server, const std::string& path) {
    const auto file = server.open(path, {.read = true});
    return file ? read_all(*file->file, file->attributes.size) : describe(Error(file.error().code));
  }
  std::vector<uint64_t> versions(const std::string& path) {
    std::vector<uint64_t> numbers;
    const auto lines = tree->get_attribute(path, "osp.versions");
    EXPECT_TRUE(lines);
    const std::string text = lines ? *lines : std::string();
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
      numbers.push_back(strtoul(rest.data(), nullptr, 10));
    return numbers;
  }
};

TEST_F(TreeTest, EachCloseMakesAVersion) {
  write("f", "one");
  write("f", "two two");
  const auto numbers = versions("f");
  ASSERT_EQ(numbers.size(), 2U);
  EXPECT_GT(numbers[0], numbers[1]);
  EXPECT_EQ(read(*tree, fmt::format(".osp-history/version/{}/f", numbers[1])), "one");
  EXPECT_EQ(read(*tree, fmt::format(".osp-history/version/{}/f", numbers[0])), "two two");
  EXPECT_EQ(read(*tree, ".osp-history/version/999/f"), "No such file or directory");
  EXPECT_EQ(tree->stat("f")->version, numbers[0]);
  ASSERT_TRUE(tree->set_attribute("f", "osp.restore", std::to_string(numbers[1]), 0));
  EXPECT_EQ(read(*tree, "f"), "one");
  EXPECT_EQ(versions("f").size(), 3U);
  ASSERT_TRUE(tree->set_attribute("f", "osp.restore", std::to_string(numbers[1]), 0));  // once more changes nothing
  EXPECT_EQ(versions("f").size(), 3U);
  EXPECT_EQ(wrong(), "");
}

TEST_F(TreeTest, ADraftIsSeenButIsNoVersion) {
  write("f", "one");
  pass_s(1);
  const uint64_t then = second();
  const auto before = tree->stat("f")->version;
  const auto file = std::move(tree->open("f", {.read = true, .write = true})->file);
  ASSERT_TRUE(file->write(3, std::as_bytes(std::span(std::string_view("!!")))));
  EXPECT_EQ(read(*tree, "f"), "one!!");
  EXPECT_GT(tree->stat("f")->version, before);  // whoever has cached it must know
  EXPECT_EQ(versions("f").size(), 1U);
  pass_s(2);
  EXPECT_EQ(read(*tree->as_of(then), "f"), "one");
  ASSERT_TRUE(tree->abandon_ownerless());
  EXPECT_EQ(read(*tree, "f"), "one!!");
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(versions("f").size(), 2U);
}

TEST_F(TreeTest, ADraftSurvivesAKillAndGoesWithItsWriters) {
  write("f", "one");
  auto file = std::move(tree->open("f", {.read = true, .write = true})->file);
  ASSERT_TRUE(file->write(1, std::as_bytes(std::span(std::string_view("!!")))));
  file.reset(), close(), open(false);
  EXPECT_EQ(read(*tree, "f"), "o!!");
  file = std::move(tree->open("f", {.read = true, .write = true})->file);
  ASSERT_TRUE(tree->abandon_ownerless());
  EXPECT_EQ(read(*tree, "f"), "o!!");
  file.reset();
  ASSERT_TRUE(tree->abandon_ownerless());
  EXPECT_EQ(read(*tree, "f"), "one");
  EXPECT_EQ(wrong(), "");
}

TEST_F(TreeTest, ThePastCannotBeChanged) {
  write("f", "one");
  pass_s(2);
  const std::string path = fmt::format(".osp-history/at/{}/f", second());
  EXPECT_EQ(read(*tree, path), "one");
  EXPECT_EQ(tree->open(path, {.write = true}).error().code, EROFS);
  EXPECT_EQ(tree->remove(path, false).error().code, EROFS);
  EXPECT_EQ(tree->rename("f", path, 0).error().code, EROFS);
  EXPECT_EQ(tree->make(".osp-history", {.mode = S_IFDIR | 0755}).error().code, EROFS);
  EXPECT_EQ(tree->stat(fmt::format(".osp-history/at/{}/f", second() + 2)).error().code, ENOENT);  // not over yet
  EXPECT_NE(tree->stat(path)->id, tree->stat("f")->id);
  EXPECT_FALSE(dump(*tree).contains(".osp-history"));
}

TEST_F(TreeTest, KeepsWhatItIsTold) {
  for (int day = 0; day < 10; ++day) {
    write("f", fmt::format("{} {}", day, std::string(20000, static_cast<char>('a' + day))));
    if (day < 5) write("gone", fmt::format("{}", day));
    if (day == 5) {
      ASSERT_TRUE(tree->remove("gone", false));
    }
    pass_s(86400);
  }
  const uint64_t day_2 = (second() / 86400 - 2) * 86400;
  const std::string two_days_ago = dump(*tree->as_of(day_2));
  const std::string now = dump(*tree);
  const auto done = collect(*store, *Retention::parse("daily=3d"));
  ASSERT_TRUE(done);
  EXPECT_GT(done->versions, 5U);
  EXPECT_GT(done->chunks, 4U);
  EXPECT_EQ(dump(*tree), now);
  EXPECT_EQ(dump(*tree->as_of(day_2)), two_days_ago);
  EXPECT_EQ(wrong(), "");
  EXPECT_FALSE(dump(*tree->as_of(second() - 8 * 86400)).contains("gone"));
  ASSERT_TRUE(collect(*store, *Retention::parse("last=2")));
  EXPECT_EQ(versions("f").size(), 2U);
  EXPECT_EQ(dump(*tree), now);
  EXPECT_EQ(wrong(), "");
}

// Random operations on a store and on a directory of the host, which must tell the same.
class Simulation : public StoreBox {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    umask(0);
    host_ = std::move(*HostTree::create(folder_.path, {}));
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      SCOPED_TRACE(i);
      step();
      if (random_() % 10 == 0) compare();
      if (random_() % 40 == 0) kill();
      if (random_() % 40 == 0) look_back();
    }
  }

  // What was synced must be there after the machine's end, and the rest be whole.
  void end_by_power_cut() {
    fids_.clear();
    close();
    metadata.cut_power(random_() % (metadata.unsynced() + 1));
    chunks.cut_power(random_() % (chunks.unsynced() + 1));
    open(true);
    ASSERT_EQ(wrong(), "");
    for (const auto& [version, hash] : synced_) {
      const auto found = store->version(version.first, version.second);
      ASSERT_TRUE(found) << version.first << " " << version.second;
      const auto content = Content::decode(found->content, store->chunks());
      std::string bytes(content->size(), '\0');
      ASSERT_TRUE(content->read(0, std::as_writable_bytes(std::span(bytes)), store->chunks()));
      ASSERT_EQ(std::hash<std::string>()(bytes), hash);
    }
  }

 private:
  struct Fid {
    std::unique_ptr<File> ours, hosts;
    uint64_t id = 0;
    bool writes = false;
  };

  std::string some_path() {
    static const char* const names[] = {"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "d/e/b", "f", "f/a", "f/d"};
    return names[random_() % std::size(names)];
  }
  std::string some_bytes() {
    std::string bytes(random_() % (random_() % 3 == 0 ? 120000 : 3000), '\0');
    const auto word = static_cast<char>(random_());
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(word + static_cast<char>((i * i) >> 9));
    return bytes;
  }

  template <class T>
  static int code(const Walked<T>& result) {
    return result ? 0 : result.error().code;
  }
  // The same call on both.
  void both(const std::string& what, const std::function<Walked<void>(Server&)>& call) {
    const int ours = code(call(*tree));
    const int hosts = code(call(*host_));
    // link(2) looks at the old name first, and HostTree at both directories: with both wrong, either error is right.
    if (what.starts_with("ln ") && ours != 0 && hosts != 0) return;
    ASSERT_EQ(ours, hosts) << what;
  }

  void open_one(const std::string& path) {
    OpenMode mode{.read = true, .write = random_() % 3 != 0, .permissions = 0640};
    mode.create = mode.write && random_() % 2 == 0;
    mode.truncate = mode.write && random_() % 4 == 0;
    mode.exclusive = mode.create && random_() % 4 == 0;
    auto ours = tree->open(path, mode);
    auto hosts = host_->open(path, mode);
    ASSERT_EQ(code(ours), code(hosts)) << "open " << path;
    if (!ours) return;
    const uint64_t id = ours->attributes.id;
    fids_.push_back({.ours = std::move(ours->file), .hosts = std::move(hosts->file), .id = id, .writes = mode.write});
  }

  void use(size_t index) {
    Fid& fid = fids_[index];
    const uint64_t offset = random_() % (random_() % 2 == 0 ? 5000 : 200000);
    const auto choice = random_() % 6;
    const auto kind = fid.ours->stat();
    if (!S_ISREG(kind->mode)) {
      fids_.erase(fids_.begin() + static_cast<ptrdiff_t>(index));
    } else if (choice == 0) {
      ASSERT_EQ(fid.ours->close().has_value(), fid.hosts->close().has_value());
      if (fid.writes) note(fid.id);
      fids_.erase(fids_.begin() + static_cast<ptrdiff_t>(index));
    } else if (choice == 1 && fid.writes) {
      ASSERT_TRUE(fid.ours->commit());
      for (const auto& [version, hash] : closed_) synced_[version] = hash;
      note(fid.id), synced_.insert(closed_.begin(), closed_.end());
    } else if (choice == 2 && fid.writes) {
      const AttributeChange change{.has_size = true, .size = offset};
      ASSERT_TRUE(fid.ours->change(change) && fid.hosts->change(change));
    } else if (fid.writes) {
      const std::string bytes = some_bytes();
      ASSERT_EQ(fid.ours->write(offset, std::as_bytes(std::span(bytes))),
                fid.hosts->write(offset, std::as_bytes(std::span(bytes))));
    } else {
      ASSERT_EQ(read_all(*fid.ours, kind->size), read_all(*fid.hosts, kind->size));
    }
  }

  // The version that was just made of a file.
  void note(uint64_t id) {
    const auto inode = store->inode(id);
    if (!inode || inode->is_draft || inode->committed.version == 0) return;
    const auto content = Content::decode(store->version(id, inode->committed.version)->content, store->chunks());
    std::string bytes(content->size(), '\0');
    ASSERT_TRUE(content->read(0, std::as_writable_bytes(std::span(bytes)), store->chunks()));
    closed_[{id, inode->committed.version}] = std::hash<std::string>()(bytes);
  }

  void step() {
    const std::string path = some_path();
    const std::string other = some_path();
    clock_ns += static_cast<int64_t>(random_() % 400'000'000);
    switch (random_() % 14) {
      case 0:
        return both("mkdir " + path, [&](Server& s) { return s.make(path, {.mode = S_IFDIR | 0755}); });
      case 1:
        return both("link to " + path,
                    [&](Server& s) { return s.make(path, {.mode = S_IFLNK | 0777, .target = "d/e"}); });
      case 2:
        return both("rm " + path, [&](Server& s) { return s.remove(path, false); });
      case 3:
        return both("rmdir " + path, [&](Server& s) { return s.remove(path, true); });
      case 4:
        return both("mv " + path + " " + other, [&](Server& s) { return s.rename(path, other, 0); });
      case 5: {
        const auto flags = static_cast<unsigned>(1 + random_() % 2);
        return both("mv " + path + " " + other, [&](Server& s) { return s.rename(path, other, flags); });
      }
      case 6:
        return both("ln " + path + " " + other, [&](Server& s) { return s.link(path, other); });
      case 7: {
        const AttributeChange mode{.has_mode = true, .mode = 0700U | static_cast<uint32_t>(random_() % 64)};
        return both("chmod " + path, [&](Server& s) { return s.change(path, mode); });
      }
      case 8: {
        const std::string value = std::to_string(random_() % 100);
        return both("attribute " + path, [&](Server& s) { return s.set_attribute(path, "user.x", value, 0); });
      }
      case 9:
        return both("no attribute " + path, [&](Server& s) { return s.remove_attribute(path, "user.x"); });
      case 10:
        return fids_.size() < 6 ? open_one(path) : use(random_() % fids_.size());
      default:
        return fids_.empty() ? open_one(path) : use(random_() % fids_.size());
    }
  }

  void compare() { ASSERT_EQ(dump(*tree), dump(*host_)); }

  void paths_below(const std::string& path, std::map<uint64_t, std::string>& paths) {
    const auto directory = tree->open(path, {.read = true, .directory = true});
    const auto entries = *directory->file->read_directory(0, SIZE_MAX);
    for (const DirectoryEntry& entry : entries) {
      const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
      paths[entry.attributes.id] = below;
      if (S_ISDIR(entry.attributes.mode)) paths_below(below, paths);
    }
  }

  // The server ends by SIGKILL; its sessions open their fids again, by path.
  void kill() {
    std::map<uint64_t, std::string> paths;
    paths_below("", paths);
    std::erase_if(fids_, [&](const Fid& fid) { return !paths.contains(fid.id); });
    for (Fid& fid : fids_) fid.ours.reset();
    close();
    open(false);
    ASSERT_EQ(wrong(), "");
    for (Fid& fid : fids_) {
      auto opened = tree->open(paths[fid.id], {.read = true, .write = fid.writes});
      ASSERT_TRUE(opened) << paths[fid.id];
      ASSERT_EQ(opened->attributes.id, fid.id);
      fid.ours = std::move(opened->file);
    }
    compare();
  }

  // Without drafts, the tree as of now is the tree; and it stays so.
  void look_back() {
    for (const auto& [second, seen] : seen_) ASSERT_EQ(dump(*tree->as_of(second)), seen) << second;
    for (Fid& fid : fids_) ASSERT_TRUE(fid.ours->close() && fid.hosts->close());
    fids_.clear();
    pass_s(2);
    if (seen_.size() < 4) seen_[second()] = dump(*tree);
    pass_s(2);
  }

  std::mt19937_64 random_;
  Folder folder_;
  std::unique_ptr<HostTree> host_;
  std::vector<Fid> fids_;
  std::map<uint64_t, std::string> seen_;
  std::map<std::pair<uint64_t, uint64_t>, size_t> closed_, synced_;  // versions, by file and number: the hash
};

TEST(StoreSimulation, TellsWhatTheHostTells) {
  const char* const first = getenv("OSP_SEED");
  const char* const count = getenv("OSP_SEEDS");
  const uint64_t seed = first != nullptr ? strtoull(first, nullptr, 10) : 1;
  const uint64_t seeds = count != nullptr ? strtoull(count, nullptr, 10) : first != nullptr ? 1 : 12;
  for (uint64_t i = seed; i < seed + seeds && !testing::Test::HasFatalFailure(); ++i) {
    SCOPED_TRACE(fmt::format("OSP_SEED={}", i));
    Simulation simulation(i);
    simulation.run(300);
    if (!testing::Test::HasFatalFailure()) simulation.end_by_power_cut();
  }
}

}  // namespace
}  // namespace osp::pip::store
