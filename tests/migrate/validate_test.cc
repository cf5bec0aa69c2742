#include "migrate/validate.h"

#include <gtest/gtest.h>

#include <functional>

#include "image_fixture.h"

namespace osp::migrate {
namespace {

using Change = std::function<void(Manifest&)>;

// What validate() says of the small manifest after `change`; empty: nothing.
std::string verdict(const Change& change) {
  Manifest manifest = test::small_manifest();
  change(manifest);
  const auto result = validate(manifest);
  if (result) return "";
  EXPECT_EQ(result.error().section, "manifest");
  return result.error().reason;
}

TEST(Validate, AGoodManifestPasses) {
  EXPECT_EQ(verdict([](Manifest&) {}), "");
}

// One file of five bytes in the root.
void add_tree(Manifest& m) {
  m.objects.push_back({.space = 9, .kind = ObjectKind::tree_contents, .name = "#m.", .size = 5});
  MemoryTree tree{.server = "#m.", .next_id = 3, .contents = 1};
  tree.nodes = {{.id = 1, .mode = 0040755, .names = {{"file", 2}}}, {.id = 2, .mode = 0100644, .size = 5}};
  m.trees.push_back(std::move(tree));
}

Change with_tree(const Change& change) {
  return [change](Manifest& m) {
    add_tree(m);
    change(m);
  };
}

TEST(Validate, AGoodTreePasses) {
  EXPECT_EQ(verdict(with_tree([](Manifest&) {})), "");
}

TEST(Validate, EachFaultOfATreeIsNamed) {
  using M = Manifest;
  const std::vector<std::pair<const char*, Change>> faults = {
      {"in interface 1", [](M& m) { m.interface_version = 1; }},
      {"of no memory file system", [](M& m) { m.trees[0].server = "#U"; }},
      {"twice there", [](M& m) { m.trees.push_back(m.trees[0]); }},
      {"no root", [](M& m) { m.trees[0].nodes.erase(m.trees[0].nodes.begin()); }},
      {"file 2 has an impossible number", [](M& m) { m.trees[0].next_id = 2; }},
      {"leads to file 7", [](M& m) { m.trees[0].nodes[0].names[0].node = 7; }},
      {"not in the image", [](M& m) { m.trees[0].contents = 2; }},
      {"behind the end", [](M& m) { m.trees[0].contents = none; }},
      {"behind the end", [](M& m) { m.trees[0].nodes[1].size = 6; }},
      {"lacks /scratch/x",
       [](M& m) { m.files.push_back({.server = "#m.", .path = "/scratch/x", .identity = {.inode = 8}}); }},
  };
  for (const auto& [reason, change] : faults) {
    const std::string said = verdict(with_tree(change));
    EXPECT_NE(said.find(reason), std::string::npos) << '\'' << reason << "': \"" << said << '"';
  }
}

struct Fault {
  const char* reason;  // a part of what is said
  Change change;
};

void expect_named(const std::vector<Fault>& faults) {
  for (size_t i = 0; i < faults.size(); ++i) {
    const std::string said = verdict(faults[i].change);
    EXPECT_NE(said.find(faults[i].reason), std::string::npos)
        << "fault " << i << ", '" << faults[i].reason << "': \"" << said << '"';
  }
}

TEST(Validate, EachFaultOfAProcessIsNamed) {
  using M = Manifest;
  expect_named({
      {"image interface 3", [](M& m) { m.interface_version = 3; }},
      {"image interface 0", [](M& m) { m.interface_version = 0; }},
      {"pages of 16384", [](M& m) { m.page_size = 16384; }},
      {"no process", [](M& m) { m.processes.clear(); }},
      {"NUL", [](M& m) { m.processes[0].program.argv[1] = std::string("a\0b", 3); }},
      {"page space 0", [](M& m) { m.processes[0].space = 0; }},
      {"page space 1", [](M& m) { m.objects[0].space = 1; }},
      {"pid 0", [](M& m) { m.processes[0].pid = 0; }},
      {"page space 1", [](M& m) { m.processes.push_back(m.processes[0]); }},
      {"tid 7", [](M& m) { m.processes[0].threads[1].tid = 7; }},
      {"no thread", [](M& m) { m.processes[0].threads.clear(); }},
      {"not whole pages", [](M& m) { m.processes[0].areas[0].start += 8; }},
      {"not whole pages", [](M& m) { m.processes[0].areas[0].length = 0; }},
      {"outside the user's", [](M& m) { m.processes[0].areas[3].start = 0x7fff'ffff'f000; }},
      {"outside the user's", [](M& m) { m.processes[0].areas[0].start = 0; }},
      {"outside the user's", [](M& m) { m.processes[0].areas[3].length = ~uint64_t{4095}; }},
      {"core's window", [](M& m) { m.processes[0].areas[0].start = core_window_start; }},
      {"core's window", [](M& m) { m.processes[0].areas[0].start = core_window_start - 4096; }},
      {"core's window", [](M& m) { m.processes[0].areas[0].start = core_window_end - 4096; }},
      {"overlaps", [](M& m) { m.processes[0].areas[1].length += 4096; }},
      {"overlaps", [](M& m) { std::swap(m.processes[0].areas[0], m.processes[0].areas[1]); }},
      {"maps no file", [](M& m) { m.processes[0].areas[1].file = none; }},
      {"not in the image", [](M& m) { m.processes[0].areas[1].file = 2; }},
      {"maps no object", [](M& m) { m.processes[0].areas[0].kind = AreaKind::shared_object; }},
      {"unknown kind", [](M& m) { m.processes[0].areas[0].kind = static_cast<AreaKind>(77); }},
      {"unknown protection", [](M& m) { m.processes[0].areas[0].protection = 8; }},
      {"impossible offset", [](M& m) { m.processes[0].areas[1].offset = 5; }},
      {"rip, fs or gs", [](M& m) { m.processes[0].threads[0].registers.rip = uint64_t{1} << 47; }},
      {"rip, fs or gs", [](M& m) { m.processes[0].threads[0].registers.fs_base = ~uint64_t{0}; }},
      {"vector state", [](M& m) { m.processes[0].threads[0].vector.data.pop_back(); }},
      {"vector state", [](M& m) { m.processes[0].threads[0].vector.format = static_cast<VectorFormat>(9); }},
      {"siginfo", [](M& m) { m.processes[0].threads[0].pending[0].info.clear(); }},
      {"pending signal", [](M& m) { m.processes[0].threads[0].pending[0].signal = 65; }},
      {"fd 0", [](M& m) { m.processes[0].fds[1].fd = 0; }},
      {"fd -1", [](M& m) { m.processes[0].fds[0].fd = -1; }},
      {"leads nowhere", [](M& m) { m.processes[0].fds[0].description = 2; }},
      {"signal 9", [](M& m) { m.processes[0].dispositions[0].signal = 9; }},
      {"two dispositions", [](M& m) { m.processes[0].dispositions.push_back(m.processes[0].dispositions[0]); }},
      {"limit as 16",
       [](M& m) {
         m.processes[0].limits = {{16, 1, 1}};
       }},
      {"brk", [](M& m) { m.processes[0].program.brk_start = 1; }},
      {"auxv", [](M& m) { m.processes[0].program.auxv.resize(3); }},
      {"interval timer",
       [](M& m) {
         m.processes[0].interval_timers = {{3, 0, 0}};
       }},
      {"timer 4",
       [](M& m) {
         m.processes[0].posix_timers = {{.id = 4}, {.id = 4}};
       }},
  });
}

TEST(Validate, EachFaultOfWhatIsOpenIsNamed) {
  using M = Manifest;
  expect_named({
      {"unknown kind", [](M& m) { m.descriptions[0].kind = static_cast<DescriptionKind>(99); }},
      {"way to come back", [](M& m) { m.descriptions[0].comeback = static_cast<Comeback>(6); }},
      {"not in the image", [](M& m) { m.descriptions[0].file = none; }},
      {"not in the image", [](M& m) { m.descriptions[1].pipe = 1; }},
      {"no session", [](M& m) { m.descriptions[0].comeback = Comeback::reconnect; }},
      {"negative", [](M& m) { m.descriptions[0].offset = uint64_t{1} << 63; }},
      {"epoll waits", [](M& m) { m.descriptions[0].epoll = {{.fd = 3}}; }},
      {"other end", [](M& m) { m.descriptions[0].socket.pair = 7; }},
      {"packets", [](M& m) { m.pipes[0].packets = {99}; }},
      {"its contents", [](M& m) { m.files[1].contents = 1; }},
      {"too large", [](M& m) { m.objects[0].size = ~uint64_t{0}; }},
      {"no url", [](M& m) { m.sessions.resize(1); }},
  });
}

}  // namespace
}  // namespace osp::migrate
