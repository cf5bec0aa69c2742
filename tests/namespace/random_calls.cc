#include "tests/namespace/random_calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <random>

namespace osp::ns::test {
namespace {

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Call next() {
    Call call;
    call.kind = static_cast<Call::Kind>(below(Call::kinds));
    if (below(3) == 0) call.kind = Call::make;
    call.base = base();
    call.path = path();
    call.other_base = base();
    call.other = path();
    fill(call);
    return call;
  }

 private:
  size_t below(size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(random_); }
  template <class T, size_t n>
  T pick(const T (&choices)[n]) {
    return choices[below(n)];
  }

  std::string base() { return pick({"/", "/", "/a", "/b", "/a/b", "/c", "/b/a/c"}); }

  std::string path() {
    if (below(200) == 0) return "";
    if (below(200) == 0) return std::string(4096, 'a');
    std::string path = below(3) == 0 ? "/" : "";
    const size_t count = below(4) + (path.empty() ? 1 : 0);
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) path += below(20) == 0 ? "//" : "/";
      path += name();
    }
    if (below(8) == 0) path += "/";
    return path;
  }

  std::string name() {
    if (below(150) == 0) return std::string(256, 'n');
    return pick({"a", "a", "b", "b", "c", "c", "d", "e", "..", "."});
  }

  void fill(Call& call) {
    constexpr uint32_t types[] = {S_IFDIR, S_IFDIR, S_IFDIR, S_IFLNK, S_IFLNK, S_IFREG, S_IFREG, S_IFSOCK};
    constexpr int opens[] = {O_RDONLY,
                             O_RDONLY | O_DIRECTORY,
                             O_RDONLY | O_NOFOLLOW,
                             O_RDONLY | O_NOFOLLOW | O_DIRECTORY,
                             O_WRONLY,
                             O_WRONLY | O_TRUNC,
                             O_WRONLY | O_APPEND,
                             O_RDWR | O_CREAT,
                             O_WRONLY | O_CREAT | O_APPEND,
                             O_WRONLY | O_CREAT | O_TRUNC,
                             O_WRONLY | O_CREAT | O_EXCL,
                             O_WRONLY | O_CREAT | O_NOFOLLOW,
                             O_RDONLY | O_CREAT,
                             O_PATH,
                             O_PATH | O_NOFOLLOW,
                             O_PATH | O_DIRECTORY,
                             O_PATH | O_NOFOLLOW | O_DIRECTORY};
    constexpr uint64_t resolves[] = {0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS,
                                     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS};
    call.text = call.kind == Call::make ? path() : name();
    call.mode = call.kind == Call::make ? pick(types) | 0755 : pick({0644U, 0755U, 0600U});
    if (call.kind == Call::open || call.kind == Call::open2) call.flags = pick(opens);
    if (call.kind == Call::open2) call.resolve = pick(resolves);
    if (call.kind == Call::remove) call.flags = pick({0, AT_REMOVEDIR});
    if (call.kind == Call::rename) call.flags = pick({0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE});
    if (call.kind == Call::link) call.flags = pick({0, AT_SYMLINK_FOLLOW});
  }

  std::mt19937 random_;
};

}  // namespace

std::string Call::describe() const {
  constexpr const char* names[] = {"stat",   "lstat",  "readlink", "open",  "openat2",  "make",
                                   "remove", "rename", "link",     "chmod", "truncate", "list"};
  return fmt::format("{} ({}) '{}' ({}) '{}' flags {:#o} resolve {:#x} mode {:#o} text '{}'", names[kind], base, path,
                     other_base, other, flags, resolve, mode, text);
}

std::vector<Call> random_calls(unsigned seed, size_t count) {
  Generator generator(seed);
  std::vector<Call> calls;
  const char* const directories[] = {"/a", "/b", "/c", "/a/b", "/b/a", "/b/a/c"};
  while (calls.size() < count) {
    if (calls.size() % 100 == 0)  // lest it all end in a heap of links
      for (const char* path : directories)
        calls.push_back(
            {.kind = Call::make, .base = "/", .path = path, .other_base = "/", .other = "", .mode = S_IFDIR | 0755});
    calls.push_back(generator.next());
  }
  return calls;
}

std::string describe(uint32_t mode, uint64_t links, uint64_t size) {
  const uint32_t type = mode & S_IFMT;
  if (type == S_IFDIR) return fmt::format("ok {:o}", mode);
  return fmt::format("ok {:o} links {} size {}", mode, links, size);
}

}  // namespace osp::ns::test
