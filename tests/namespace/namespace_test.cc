#include "namespace/namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "namespace/host_name.h"
#include "namespace/ns_apply.h"
#include "tests/namespace/tree.h"

namespace osp::ns::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr MountFlags before{.order = Order::before}, after{.order = Order::after};

class NamespaceTest : public testing::Test {
 protected:
  NamespaceTest() : space_(root_) {}

  ServerPtr root_ = server_with("#U",
                                {"a/", "a/x", "a/both", "a/sub/", "a/sub/one", "b/", "b/y", "b/both", "b/sub/",
                                 "b/sub/two", "n/", "file", "link>b", "n/deep/"},
                                true);
  Namespace space_;
};

TEST_F(NamespaceTest, OnlyTheHostIsKnown) {
  EXPECT_TRUE(space_.only_host());
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {}));
  EXPECT_FALSE(space_.only_host());
  ASSERT_TRUE(space_.unmount(at("/n")));
  EXPECT_TRUE(space_.only_host());
  EXPECT_FALSE(Namespace(server_with("#m", {})).only_host());
}

TEST_F(NamespaceTest, BindReplaces) {
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {}));
  EXPECT_EQ(contents(space_, "/n/x"), "#U:a/x");
  EXPECT_EQ(put(space_, "/n/new", "text"), "ok");
  EXPECT_EQ(contents(space_, "/a/new"), "text");
  EXPECT_EQ(resolve(space_.table(), at("/n/x"))->host_path(), "/a/x");
  ASSERT_TRUE(space_.unmount(at("/n")));
  EXPECT_EQ(contents(space_, "/n/x"), "ENOENT");
}

TEST_F(NamespaceTest, TheHostsNamesAreTranslated) {
  const auto name = [&](std::string_view path) { return name_of_host_path(*space_.table(), path); };
  EXPECT_EQ(name("/a/x"), "/a/x");
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {}));
  EXPECT_EQ(name("/a/x"), "/n/x");  // the closer tree
  EXPECT_EQ(name("/n/deep"), std::nullopt);
  ASSERT_TRUE(space_.mount(root_, "b", at("/"), {}));
  EXPECT_EQ(name("/b"), "/");
  EXPECT_EQ(name("/b/sub/two"), "/sub/two");
  EXPECT_EQ(name("/bb"), std::nullopt);
  EXPECT_EQ(name("/a/x"), std::nullopt);
  ASSERT_TRUE(space_.mount(root_, "a", at("/sub"), {}));
  EXPECT_EQ(name("/b/sub/two"), std::nullopt);  // hidden
  EXPECT_EQ(name("/a/x"), "/sub/x");
}

TEST_F(NamespaceTest, UnionsSearchInOrder) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), after));
  EXPECT_EQ(contents(space_, "/a/both"), "#U:a/both");
  EXPECT_EQ(contents(space_, "/a/y"), "#U:b/y");
  ASSERT_TRUE(space_.unmount(at("/a")));
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), before));
  EXPECT_EQ(contents(space_, "/a/both"), "#U:b/both");
  EXPECT_EQ(contents(space_, "/a/x"), "#U:a/x");
}

TEST_F(NamespaceTest, AUnionIsOneLevelDeep) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), after));
  EXPECT_EQ(contents(space_, "/a/sub/one"), "#U:a/sub/one");
  EXPECT_EQ(contents(space_, "/a/sub/two"), "ENOENT");
  EXPECT_THAT(names_in(space_, "/a/sub"), ElementsAre("one"));
}

TEST_F(NamespaceTest, UnionsListTheFirstOfEachName) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), after));
  for (const size_t batch : {1U, 2U, 100U})
    EXPECT_THAT(names_in(space_, "/a", batch), UnorderedElementsAre("x", "both", "sub", "y"));
}

TEST_F(NamespaceTest, CreationNeedsTheCreateFlagInAUnion) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), after));
  EXPECT_EQ(put(space_, "/a/new", "t"), "EPERM");
  EXPECT_EQ(outcome(make(space_.table(), at("/a/dir"), {.mode = S_IFDIR | 0755, .device = 0, .target = {}})), "EPERM");
  EXPECT_EQ(put(space_, "/a/y", "changed"), "ok");  // it exists
  EXPECT_EQ(contents(space_, "/b/y"), "changed");
  EXPECT_EQ(put(space_, "/a/sub/new", "t"), "ok");  // below the union, in the member that has sub
  EXPECT_EQ(contents(space_, "/a/sub/new"), "t");
}

TEST_F(NamespaceTest, CreationGoesToTheFirstMemberWithTheFlag) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), {.order = Order::after, .create = true}));
  EXPECT_EQ(put(space_, "/a/new", "t", true), "ok");
  EXPECT_EQ(contents(space_, "/b/new"), "t");
  EXPECT_EQ(put(space_, "/a/x", "t", true), "EEXIST");
  EXPECT_EQ(put(space_, "/a/new", "t", true), "EEXIST");
  EXPECT_EQ(outcome(make(space_.table(), at("/a/x"), {.mode = S_IFDIR | 0755, .device = 0, .target = {}})), "EEXIST");
  EXPECT_EQ(outcome(make(space_.table(), at("/a/d"), {.mode = S_IFDIR | 0755, .device = 0, .target = {}})), "ok");
  EXPECT_EQ(outcome(stat(space_.table(), at("/b/d"))), "ok");
}

TEST_F(NamespaceTest, ChangesActOnTheMemberThatHasTheFile) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), {.order = Order::after, .create = true}));
  EXPECT_EQ(outcome(remove(space_.table(), at("/a/y"), false)), "ok");
  EXPECT_EQ(outcome(rename(space_.table(), at("/a/x"), at("/a/x2"), 0)), "ok");
  space_.unmount(at("/a")).value();
  EXPECT_EQ(contents(space_, "/a/x2"), "#U:a/x");
  EXPECT_EQ(contents(space_, "/b/y"), "ENOENT");
}

TEST_F(NamespaceTest, ARenamedFileIsNotHidden) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), {.order = Order::after, .create = true}));
  // /b's file replaces the one of /a, which would hide it.
  EXPECT_EQ(outcome(rename(space_.table(), at("/a/y"), at("/a/both"), 0)), "ok");
  EXPECT_EQ(contents(space_, "/a/both"), "#U:b/y");
  EXPECT_EQ(contents(space_, "/b/both"), "#U:b/both");
  EXPECT_EQ(outcome(link(space_.table(), at("/a/x"), at("/a/both"))), "EEXIST");
}

TEST_F(NamespaceTest, ReadOnlyTreesRefuseChanges) {
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {.read_only = true}));
  const Table table = space_.table();
  EXPECT_EQ(contents(space_, "/n/x"), "#U:a/x");
  EXPECT_EQ(put(space_, "/n/x", "t"), "EROFS");
  EXPECT_EQ(put(space_, "/n/new", "t"), "EROFS");
  EXPECT_EQ(put(space_, "/n/none/new", "t"), "ENOENT");
  EXPECT_EQ(put(space_, "/n/x", "t", true), "EEXIST");
  EXPECT_EQ(outcome(remove(table, at("/n/x"), false)), "EROFS");
  EXPECT_EQ(outcome(rename(table, at("/n/x"), at("/n/z"), 0)), "EROFS");
  EXPECT_EQ(outcome(link(table, at("/n/x"), at("/n/z"))), "EROFS");
  EXPECT_EQ(outcome(change(table, at("/n/x"), {.has_mode = true, .mode = 0})), "EROFS");
  EXPECT_EQ(outcome(open(table, at("/n/x"), {.read = true, .create = true})), "ok");
  // Bound again from there, it stays so.
  ASSERT_TRUE(space_.bind(at("/n/sub"), at("/b"), {}));
  EXPECT_EQ(put(space_, "/b/one", "t"), "EROFS");
}

TEST_F(NamespaceTest, BindTakesTheMountsBelowAlong) {
  const auto lab = server_with("pip://lab/t", {"data"});
  ASSERT_TRUE(space_.mount(lab, "", at("/a/sub"), {}));
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {}));
  EXPECT_EQ(contents(space_, "/n/sub/data"), "pip://lab/t:data");
  ASSERT_TRUE(space_.unmount(at("/n")));
  EXPECT_EQ(contents(space_, "/a/sub/data"), "pip://lab/t:data");
}

TEST_F(NamespaceTest, ReplacingHidesWhatWasMountedBelow) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/n/deep"), {}));
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {}));
  EXPECT_EQ(contents(space_, "/n/deep/y"), "ENOENT");
}

TEST_F(NamespaceTest, AMissingMountPointIsAnErrorWithARemedy) {
  const auto done = space_.bind(at("/a"), at("/n/none"), {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ENOENT);
  EXPECT_THAT(done.error().remedy, HasSubstr("mkdir"));
  EXPECT_EQ(outcome(space_.bind(at("/none"), at("/n"), {})), "ENOENT");
  EXPECT_EQ(outcome(space_.bind(at("/a"), at("/file"), {})), "ENOTDIR");
  EXPECT_EQ(outcome(space_.bind(at("/file"), at("/n"), {})), "EISDIR");
  EXPECT_EQ(outcome(space_.bind(at("/file"), at("/a/x"), after)), "ENOTDIR");
}

TEST_F(NamespaceTest, AMissingMountPointIsMadeUpOnRequest) {
  ASSERT_TRUE(space_.bind(at("/a"), at("/n/made/up/here"), {.make_up = true}));
  EXPECT_EQ(contents(space_, "/n/made/up/here/x"), "#U:a/x");
  EXPECT_THAT(names_in(space_, "/n"), UnorderedElementsAre("deep", "made"));
  EXPECT_THAT(names_in(space_, "/n/made"), ElementsAre("up"));
  EXPECT_THAT(names_in(space_, "/n/made/up"), ElementsAre("here"));
  EXPECT_EQ(put(space_, "/n/made/new", "t"), "EROFS");
  EXPECT_EQ(resolve(space_.table(), at("/n/made/up/here/.."))->path(), "/n/made/up");
  EXPECT_EQ(space_.commands().size(), 2U);
  ASSERT_TRUE(space_.unmount(at("/n/made/up/here")));
  EXPECT_EQ(outcome(stat(space_.table(), at("/n/made"))), "ENOENT");
  EXPECT_TRUE(space_.only_host());
}

TEST_F(NamespaceTest, AFileCanBeBoundOnAFile) {
  ASSERT_TRUE(space_.bind(at("/a/x"), at("/file"), {}));
  EXPECT_EQ(contents(space_, "/file"), "#U:a/x");
  EXPECT_EQ(contents(space_, "/file/x"), "ENOTDIR");
  EXPECT_EQ(contents(space_, "/file/"), "ENOTDIR");
  EXPECT_EQ(outcome(remove(space_.table(), at("/file"), false)), "EBUSY");
}

TEST_F(NamespaceTest, OneMemberOfAUnionCanGo) {
  ASSERT_TRUE(space_.bind(at("/b"), at("/a"), after));
  EXPECT_EQ(outcome(space_.unmount(at("/n"), at("/a"))), "EINVAL");
  ASSERT_TRUE(space_.unmount(at("/b"), at("/a")));
  EXPECT_TRUE(space_.only_host());
  ASSERT_TRUE(space_.mount(server_with("#m", {"q"}), "", at("/a"), after));
  ASSERT_TRUE(space_.unmount(at("#m"), at("/a")));
  EXPECT_EQ(outcome(space_.unmount(at("/a"))), "EINVAL");
  EXPECT_EQ(outcome(space_.unmount(at("/"))), "EBUSY");
}

TEST_F(NamespaceTest, ADeadServerCanBeUnmounted) {
  auto lab = server_with("pip://lab/t", {"data"});
  ASSERT_TRUE(space_.mount(lab, "", at("/n"), {}));
  lab->calls = 0;
  ASSERT_TRUE(space_.unmount(at("/n")));
  EXPECT_EQ(lab->calls, 0);
}

TEST_F(NamespaceTest, ACopyIsItsOwn) {
  ASSERT_TRUE(space_.bind(at("/a"), at("/n"), {}));
  const auto child = space_.copy();
  ASSERT_TRUE(child->bind(at("/b"), at("/n"), {}));
  EXPECT_EQ(contents(space_, "/n/x"), "#U:a/x");
  EXPECT_EQ(contents(*child, "/n/y"), "#U:b/y");
}

TEST_F(NamespaceTest, ALinkAsMountPointIsFollowed) {
  ASSERT_TRUE(space_.bind(at("/a"), at("/link"), {}));
  EXPECT_EQ(contents(space_, "/b/x"), "#U:a/x");
  ASSERT_TRUE(space_.unmount(at("/link")));
  EXPECT_EQ(contents(space_, "/b/y"), "#U:b/y");
}

TEST_F(NamespaceTest, ATreeBelowTheServersRootCanBeMounted) {
  const auto lab = server_with("pip://lab/t", {"real/", "real/data", "alias>/real"});
  ASSERT_TRUE(space_.mount(lab, "alias", at("/n"), {}));
  EXPECT_EQ(contents(space_, "/n/data"), "pip://lab/t:real/data");
  EXPECT_EQ(outcome(space_.mount(lab, "none", at("/n"), {})), "ENOENT");
}

TEST_F(NamespaceTest, AListingShowsTheAttributesOfWhatIsMounted) {
  const auto lab = server_with("pip://lab/t", {});
  pip::AttributeChange mode;
  mode.has_mode = true;
  mode.mode = 0711;
  ASSERT_TRUE(lab->change("", mode));
  ASSERT_TRUE(space_.mount(lab, "", at("/n/deep"), {}));
  auto opened = open(space_.table(), at("/n"), {.read = true, .directory = true});
  ASSERT_TRUE(opened);
  const auto entries = opened->opened.file->read_directory(0, 10);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 1U);
  EXPECT_EQ((*entries)[0].attributes.mode, S_IFDIR | 0711U);
}

// A factory over servers that the test has made.
class FakeFactory final : public ServerFactory {
 public:
  explicit FakeFactory(std::vector<ServerPtr> servers) : servers_(std::move(servers)) {}
  Checked<Attached> attach(const std::string& name, const std::string& options) override {
    last_options = options;
    for (const auto& server : servers_)
      if (is_within(name, server->name())) return Attached{server, std::string(below(name, server->name()))};
    return trouble(EHOSTUNREACH, "no answer", "is it running?");
  }
  std::string last_options;

 private:
  std::vector<ServerPtr> servers_;
};

std::vector<Command> parsed(const std::string& text) {
  const auto commands = parse_ns_text(text, "t.ns",
                                      {.read = [](const std::string&) { return Result<std::string>(fail(ENOENT)); },
                                       .variable = [](std::string_view) { return std::optional<std::string>(); }});
  EXPECT_TRUE(commands) << commands.error().text();
  return commands ? *commands : std::vector<Command>();
}

TEST_F(NamespaceTest, ItsCommandsBuildItAgain) {
  const auto lab = server_with("pip://lab/t", {"data", "s/"});
  FakeFactory factory({root_, lab});
  const auto commands = parsed(
      "mount -o at=2026-10-01,ro pip://lab/t/s /n/deep\n"
      "bind -a b /a\nbind -bc /n /a\nbind -p '#U'/b /n/made/up\nbind -r /b/sub /b\n");
  ASSERT_TRUE(apply(commands, space_, factory));
  EXPECT_EQ(factory.last_options, "");
  std::string text;
  for (const auto& line : space_.commands()) text += line + "\n";
  EXPECT_THAT(text, HasSubstr("mount -r -o at=2026-10-01 pip://lab/t/s /n/deep\n"));
  Namespace again(root_);
  const auto done = apply(parsed(text), again, factory);
  ASSERT_TRUE(done) << done.error().text() << "\n" << text;
  EXPECT_EQ(again.commands(), space_.commands());
  for (const auto* path : {"/", "/a", "/b", "/n", "/n/deep", "/n/made"})
    EXPECT_EQ(names_in(again, path), names_in(space_, path));
}

TEST_F(NamespaceTest, AFailedCommandSaysWhere) {
  FakeFactory factory({});
  const auto done = apply(parsed("\n  bind /a /n\n\tmount pip://gone/t /n"), space_, factory);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().text(), "t.ns:3:2: pip://gone/t: no answer; is it running?");
  const auto missing = apply(parsed("bind /a rel/none"), space_, factory, "/n");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text(), HasSubstr("t.ns:1:1: rel/none: No such file or directory; make it first"));
}

}  // namespace
}  // namespace osp::ns::test
