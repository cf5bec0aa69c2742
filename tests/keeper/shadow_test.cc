// What inotify(7) tells of a directory that is made to look like another.
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "tools/keeper_shadow.h"

namespace osp::keeper {
namespace {

pip::DirectoryEntry entry(std::string name, uint64_t id, uint64_t size = 0, uint32_t mode = S_IFREG | 0644) {
  pip::DirectoryEntry made{.name = std::move(name), .attributes = {}, .target = {}};
  made.attributes.id = id, made.attributes.size = size, made.attributes.mode = mode;
  return made;
}

struct ShadowTest : testing::Test {
  ShadowTest() {
    char name[] = "/dev/shm/osp-shadow-XXXXXX";
    base = mkdtemp(name);
    auto made =
        ShadowDirectory::create(base + "/1", {entry("a", 1), entry("b", 2, 10), entry("d", 3, 0, S_IFDIR | 0755)});
    shadow = std::make_unique<ShadowDirectory>(std::move(*made));
    inotify = pip::HostFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    inotify_add_watch(inotify.get(), shadow->path().c_str(), IN_ALL_EVENTS);
  }
  ~ShadowTest() override { std::filesystem::remove_all(base); }

  // Those that say what was done, by name; a rename as "from>to".
  std::string events() {
    std::string told, from;
    alignas(inotify_event) std::array<char, 65536> buffer;
    const ssize_t size = read(inotify.get(), buffer.data(), buffer.size());
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      const std::string name = event->len > 0 ? event->name : "itself";
      if ((event->mask & IN_CREATE) != 0) told += "+" + name + " ";
      if ((event->mask & IN_DELETE) != 0) told += "-" + name + " ";
      if ((event->mask & IN_MODIFY) != 0) told += "*" + name + " ";
      if ((event->mask & IN_CLOSE_WRITE) != 0) told += "." + name + " ";
      if ((event->mask & IN_ATTRIB) != 0) told += "@" + name + " ";
      if ((event->mask & IN_MOVED_FROM) != 0) from = name;
      if ((event->mask & IN_MOVED_TO) != 0) told += from + ">" + name + " ", from.clear();
      if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) told += "gone ";
    }
    return told;
  }

  std::string base;
  std::unique_ptr<ShadowDirectory> shadow;
  pip::HostFd inotify;
};

TEST_F(ShadowTest, WhatIsTheSameIsNotTold) {
  shadow->become({entry("a", 1), entry("b", 2, 10), entry("d", 3, 99, S_IFDIR | 0755)});
  EXPECT_EQ(events(), "");
}

TEST_F(ShadowTest, NamesThatComeAndGo) {
  shadow->become({entry("a", 1), entry("c", 4), entry("e", 5, 7), entry("f", 6, 0, S_IFDIR | 0700)});
  EXPECT_EQ(events(), "-b -d +c .c +e *e .e +f ");
}

TEST_F(ShadowTest, WritesAndAttributes) {
  shadow->become({entry("a", 1, 5), entry("b", 2, 10, S_IFREG | 0600), entry("d", 3, 0, S_IFDIR | 0755)});
  EXPECT_EQ(events(), "*a .a @b ");
}

TEST_F(ShadowTest, ARenameIsOne) {
  shadow->become({entry("a", 1), entry("x", 2, 10), entry("y", 3, 0, S_IFDIR | 0755)});
  EXPECT_EQ(events(), "b>x d>y ");
}

TEST_F(ShadowTest, ARenameOverAnother) {
  shadow->become({entry("a", 2, 10), entry("d", 3, 0, S_IFDIR | 0755)});
  EXPECT_EQ(events(), "b>a ");
}

TEST_F(ShadowTest, AnotherFileOfTheSameName) {
  shadow->become({entry("a", 9), entry("b", 2, 10), entry("d", 8)});
  EXPECT_EQ(events(), ">a -d >d ");
}

TEST_F(ShadowTest, TheDirectoryItself) {
  shadow->touch();
  EXPECT_EQ(events(), "@itself ");
  shadow->remove();
  EXPECT_EQ(events(), "-a -b -d gone ");
}

}  // namespace
}  // namespace osp::keeper
