#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "libosp/native/cpio.h"
#include "libosp/native/frames.h"
#include "libosp/native/root_archive.h"
#include "tools/osp_boot_libraries.h"
#include "tools/osp_boot_program.h"

namespace osp::tools {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) text.push_back(static_cast<char>(c));
  pclose(pipe);
  return text;
}

// The files that the loader itself says it would map: with their links followed, so that they can be compared.
std::set<std::string> libraries_by_ldd(const std::string& program) {
  std::istringstream text(output_of("ldd " + program + " | grep -o '/[^ ]* (0x' | cut -d' ' -f1"));
  std::set<std::string> found;
  for (std::string path; std::getline(text, path);) found.insert(fs::canonical(path).string());
  return found;
}

// What a plan has, as the core will see it.
class Loaded {
 public:
  explicit Loaded(const RootPlan& plan, bool is_compressed = false) : fd_(memfd_create("test", MFD_CLOEXEC)) {
    uint64_t unpacked = 0;
    const auto end = is_compressed ? plan.write_compressed(fd_, 0, unpacked) : plan.write(fd_, 0);
    EXPECT_TRUE(end) << end.error();
    size_ = end.value_or(0);
    memory_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
    auto server = native::read_root_archive(std::span(static_cast<const std::byte*>(memory_), size_));
    EXPECT_TRUE(server) << server.error().reason;
    server_ = *server;
  }
  ~Loaded() {
    server_.reset();
    munmap(memory_, size_);
    close(fd_);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  // `path` is from "/".
  [[nodiscard]] pip::Attributes stat(const std::string& path) const {
    const auto attributes = server_->stat(path.substr(1));
    EXPECT_TRUE(attributes) << path;
    return attributes.value_or(pip::Attributes{});
  }
  [[nodiscard]] bool has(const std::string& path) const { return server_->stat(path.substr(1)).has_value(); }
  [[nodiscard]] std::string link(const std::string& path) const {
    return server_->read_link(path.substr(1)).value_or("");
  }
  [[nodiscard]] std::span<const std::byte> lent(const std::string& path) const {
    const auto node = server_->tree().find(path.substr(1));
    EXPECT_TRUE(node) << path;
    return node ? (*node)->contents.lent(0, UINT64_MAX).value() : std::span<const std::byte>();
  }
  // Regular files.
  [[nodiscard]] size_t file_count() const { return count_below(*server_->tree().root()); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {begin(), size_}; }
  [[nodiscard]] const std::byte* begin() const { return static_cast<const std::byte*>(memory_); }

 private:
  static size_t count_below(const ns::MemNode& directory) {
    size_t count = 0;
    for (const auto& [name, node] : directory.children) count += node->is(S_IFREG) ? 1 : count_below(*node);
    return count;
  }

  int fd_;
  size_t size_ = 0;
  void* memory_ = nullptr;
  std::shared_ptr<ns::MemServer> server_;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class BootPackTest : public testing::Test {
 protected:
  BootPackTest() {
    std::string name = fs::temp_directory_path() / "osp-boot-pack.XXXXXX";
    folder_ = mkdtemp(name.data());
    folder_ = fs::canonical(folder_);
  }
  ~BootPackTest() override { fs::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& contents = {}) {
    std::ofstream(folder_ / name) << contents;
    return (folder_ / name).string();
  }
  static void compile(const std::string& arguments) { ASSERT_EQ(std::system(("gcc " + arguments).c_str()), 0); }

  fs::path folder_;
};

TEST_F(BootPackTest, LibrariesAreThoseThatTheLoaderSays) {
  for (const std::string program : {"/bin/bash", "/usr/bin/python3", "/usr/bin/git", "/usr/bin/perl", "/usr/bin/ld",
                                    "/usr/lib/gcc/x86_64-linux-gnu/12/cc1"}) {
    RootPlan plan;
    const auto added = LibraryPacker(plan, "").add(program);
    ASSERT_TRUE(added) << added.error();
    const auto expected = libraries_by_ldd(program);
    EXPECT_GE(expected.size(), 2U) << program;
    const Loaded loaded(plan);
    for (const std::string& one : expected) EXPECT_TRUE(loaded.has(one)) << program << " wants " << one;
    EXPECT_EQ(loaded.file_count(), expected.size() + 1) << program << ": with itself, and nothing else";
    EXPECT_EQ(text_of(loaded.lent(fs::canonical(program))), contents_of(program));
  }
}

TEST_F(BootPackTest, AStaticProgramNeedsOnlyItself) {
  const std::string program = (folder_ / "prog").string();
  compile("-static -o " + program + " " + file("m.c", "int main(void) { return 0; }"));
  RootPlan plan;
  ASSERT_TRUE(LibraryPacker(plan, "").add(program));
  EXPECT_EQ(plan.count(), static_cast<size_t>(std::ranges::count(program, '/')));
}

TEST_F(BootPackTest, SearchPathsOfTheFilesHold) {
  fs::create_directories(folder_ / "run");
  fs::create_directories(folder_ / "env");
  const std::string f = file("f.c", "int f(void) { return 1; }"),
                    g = file("g.c", "int f(void); int g(void) { return f(); }");
  const std::string m = file("m.c", "int g(void); int main(void) { return g(); }");
  const std::string at = folder_.string();
  compile("-shared -fPIC -o " + at + "/run/libf.so " + f);
  compile("-shared -fPIC -o " + at + "/env/libf.so " + f);
  compile("-shared -fPIC -o " + at + "/run/libg.so " + g + " -L" + at + "/run -lf");
  const std::string link = m + " -L" + at + "/run -lg -Wl,-rpath-link," + at + "/run ";
  compile("-o " + at + "/rpath " + link + "-Wl,--disable-new-dtags -Wl,-rpath,'$ORIGIN/run'");
  compile("-o " + at + "/runpath " + link + "-Wl,--enable-new-dtags -Wl,-rpath,'$ORIGIN/run'");

  RootPlan by_rpath;  // holds for what libraries need as well, and comes before LD_LIBRARY_PATH
  ASSERT_TRUE(LibraryPacker(by_rpath, at + "/env").add(at + "/rpath"));
  EXPECT_TRUE(by_rpath.has(at + "/run/libg.so") && by_rpath.has(at + "/run/libf.so"));
  EXPECT_FALSE(by_rpath.has(at + "/env/libf.so"));

  RootPlan by_runpath;  // is only for what the program itself needs, and comes behind
  const auto missing = LibraryPacker(by_runpath, "").add(at + "/runpath");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr("run/libg.so: needs libf.so, which is not found"));
  RootPlan with_environment;
  ASSERT_TRUE(LibraryPacker(with_environment, at + "/env").add(at + "/runpath"));
  EXPECT_TRUE(with_environment.has(at + "/run/libg.so") && with_environment.has(at + "/env/libf.so"));
  EXPECT_FALSE(with_environment.has(at + "/run/libf.so"));
}

TEST_F(BootPackTest, LinksOnTheWayAreKept) {
  fs::create_directories(folder_ / "real/deep");
  file("real/deep/file", "text");
  fs::create_directory_symlink("real", folder_ / "first");
  fs::create_symlink("../first/deep/file", folder_ / "real/second");
  fs::create_symlink(folder_ / "first/second", folder_ / "third");
  RootPlan plan;
  const std::string at = folder_.string();
  EXPECT_EQ(plan.add_path(at + "/third").value_or(""), at + "/real/deep/file");
  const Loaded loaded(plan);
  EXPECT_EQ(loaded.link(at + "/first"), "real");
  EXPECT_EQ(loaded.link(at + "/real/second"), "../first/deep/file");
  EXPECT_EQ(loaded.link(at + "/third"), at + "/first/second");
  EXPECT_EQ(text_of(loaded.lent(at + "/real/deep/file")), "text");
  fs::create_symlink("loop", folder_ / "loop");
  const auto loop = plan.add_path(at + "/loop");
  ASSERT_FALSE(loop);
  EXPECT_THAT(loop.error(), HasSubstr("symbolic links"));
}

TEST_F(BootPackTest, ATreeIsTakenAsItIs) {
  fs::create_directories(folder_ / "tree/sub");
  file("tree/sub/large", std::string(10'000, 'l'));
  file("tree/small", "s");
  const fs::path tree = folder_ / "tree";
  ASSERT_EQ(chmod((tree / "small").c_str(), 04711), 0);
  ASSERT_EQ(mkfifo((tree / "pipe").c_str(), 0620), 0);
  ASSERT_EQ(chmod((tree / "pipe").c_str(), 0620), 0);
  fs::create_hard_link(tree / "sub/large", tree / "again");
  const timespec times[2] = {{1000, 0}, {2000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, (tree / "small").c_str(), times, 0), 0);
  RootPlan plan;
  ASSERT_TRUE(plan.take_root(tree));
  const Loaded loaded(plan);
  const pip::Attributes small = loaded.stat("/small");
  EXPECT_EQ(small.mode, S_IFREG | 04711U);
  EXPECT_EQ(small.mtime_ns, 2'000'000'000'000);
  EXPECT_EQ(small.uid, getuid());
  EXPECT_EQ(loaded.stat("/pipe").mode, S_IFIFO | 0620U);
  EXPECT_EQ(loaded.stat("/again").id, loaded.stat("/sub/large").id);
  EXPECT_EQ(loaded.stat("/again").links, 2U);
  const auto large = loaded.lent("/sub/large");
  EXPECT_EQ(text_of(large), std::string(10'000, 'l'));
  EXPECT_EQ((large.data() - loaded.begin()) % 4096, 0);
  EXPECT_EQ(loaded.lent("/small").size(), 1U);
}

TEST_F(BootPackTest, ACompressedRootUnpacksOnlyWhatIsRead) {
  fs::create_directories(folder_ / "tree");
  std::vector<std::string> contents;
  for (size_t i = 0; i < 20; ++i) contents.push_back(std::string(i * 50'000, static_cast<char>('a' + i)));
  for (size_t i = 0; i < contents.size(); ++i) file("tree/" + std::to_string(i), contents[i]);
  RootPlan plan;
  ASSERT_TRUE(plan.take_root(folder_ / "tree"));
  EXPECT_EQ(plan.size(), 190U * 50'000);
  const Loaded loaded(plan, true);
  for (size_t i = 0; i < contents.size(); ++i)
    EXPECT_EQ(text_of(loaded.lent("/" + std::to_string(i))), contents[i]) << i;

  const auto frames = native::Frames::open(loaded.bytes(), UINT64_MAX);
  ASSERT_TRUE(frames);
  EXPECT_GT((*frames)->count(), 190U * 50'000 / 262'144);
  native::CpioReader reader((*frames)->bytes(), frames->get());
  uint64_t expected = 0;  // frames of contents: none of them is needed for the names
  for (auto entry = reader.next(); entry && *entry; entry = reader.next())
    expected += (entry->value().contents.size() + 262'143) / 262'144;
  EXPECT_EQ((*frames)->filled(), (*frames)->count() - expected);
}

TEST_F(BootPackTest, ASystemHasWhatTheHostDoesNotGive) {
  RootPlan plan;
  pack_system(plan, folder_);
  const Loaded loaded(plan);
  EXPECT_EQ(loaded.stat("/tmp").mode, S_IFDIR | 01777U);
  EXPECT_EQ(loaded.stat("/proc").mode & S_IFMT, static_cast<uint32_t>(S_IFDIR));
  EXPECT_THAT(text_of(loaded.lent("/etc/nsswitch.conf")), HasSubstr("passwd: files"));
  EXPECT_TRUE(loaded.has("/etc/passwd") && loaded.has(folder_));
}

TEST_F(BootPackTest, ProgramsAreFoundAsExecvpFindsThem) {
  fs::create_directories(folder_ / "one");
  fs::create_directories(folder_ / "two");
  file("one/prog");
  const std::string second = file("two/prog");
  ASSERT_EQ(chmod(second.c_str(), 0755), 0);
  const std::string path = (folder_ / "one").string() + ":" + (folder_ / "two").string();
  EXPECT_EQ(find_program("prog", path).value_or(""), second);
  const auto refused = find_program("prog", (folder_ / "one").string());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 126);
  EXPECT_EQ(find_program("none", path).error().status, 127);
  EXPECT_EQ(find_program("", path).error().status, 127);
  EXPECT_EQ(find_program((folder_ / "one").string(), path).error().status, 126);
}

TEST(LoaderCache, HasTheLibraryOfC) {
  const auto cache = read_loader_cache("/etc/ld.so.cache");
  const auto [begin, end] = cache.equal_range("libc.so.6");
  ASSERT_NE(begin, end);
  EXPECT_TRUE(fs::exists(begin->second));
  EXPECT_TRUE(read_loader_cache("/etc/passwd").empty());
  EXPECT_TRUE(read_loader_cache("/no/such/file").empty());
}

TEST(ElfNeeds, OfAProgramAndOfOtherFiles) {
  const auto needs = read_elf_needs("/bin/bash");
  ASSERT_TRUE(needs);
  EXPECT_TRUE(needs->is_program);
  EXPECT_EQ(needs->interpreter, "/lib64/ld-linux-x86-64.so.2");
  EXPECT_THAT(needs->needed, Contains("libc.so.6"));
  const auto text = read_elf_needs("/etc/passwd");
  ASSERT_TRUE(text);
  EXPECT_FALSE(text->is_program);
  EXPECT_FALSE(read_elf_needs("/no/such/file"));
}

}  // namespace
}  // namespace osp::tools
