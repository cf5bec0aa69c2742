#include "namespace/resolver.h"

#include <gtest/gtest.h>
#include <linux/fs.h>
#include <linux/openat2.h>

#include "tests/namespace/tree.h"

namespace osp::ns::test {
namespace {

class Resolver : public testing::Test {
 protected:
  Resolver() : space_(root_) {
    EXPECT_TRUE(space_.mount(lab_, "", at("/mnt/lab"), {}));
    root_->calls = lab_->calls = 0;
  }
  std::string resolved(Request request) {
    const auto place = resolve(space_.table(), request);
    return place ? place->path() : error_name(place.error().code);
  }

  ServerPtr root_ = server_with(
      "#U",
      {"etc/", "etc/passwd", "mnt/", "mnt/lab/", "mnt/lab/hidden", "home/", "home/me/", "home/me/data>/mnt/lab/data",
       "home/me/up>../..", "loop>loop", "to-etc>etc", "deep>home/me/data/sub/../x", "file", "mnt/other/"},
      true);
  ServerPtr lab_ = server_with("pip://lab/proj", {"data/", "data/x", "data/sub/", "data/abs>/etc/passwd",
                                                  "data/rel>../../../etc/passwd", "data/sub/y", "data/self>."});
  Namespace space_;
};

TEST_F(Resolver, OneServerGetsTheWholePathInOneCall) {
  EXPECT_EQ(contents(space_, "/mnt/lab/data/x"), "pip://lab/proj:data/x");
  EXPECT_EQ(lab_->calls, 1);
  EXPECT_EQ(root_->calls, 0);
  EXPECT_EQ(contents(space_, "/mnt/lab/./data//x"), "pip://lab/proj:data/x");
  EXPECT_EQ(lab_->calls, 2);
}

TEST_F(Resolver, AMountHidesWhatIsBelowIt) {
  EXPECT_EQ(contents(space_, "/mnt/lab/hidden"), "ENOENT");
  EXPECT_EQ(contents(space_, "/mnt/labor"), "ENOENT");
}

TEST_F(Resolver, LinksLeadAcrossMounts) {
  EXPECT_EQ(contents(space_, "/home/me/data/x"), "pip://lab/proj:data/x");
  EXPECT_EQ(contents(space_, "/mnt/lab/data/abs"), "#U:etc/passwd");
  EXPECT_EQ(contents(space_, "/mnt/lab/data/rel"), "#U:etc/passwd");
  EXPECT_EQ(resolved(at("/home/me/data/sub/y")), "/mnt/lab/data/sub/y");
  EXPECT_EQ(resolved(at("/deep")), "/mnt/lab/data/x");
}

TEST_F(Resolver, DotDotAfterALinkIsItsTargetsParent) {
  EXPECT_EQ(resolved(at("/home/me/data/..")), "/mnt/lab");
  EXPECT_EQ(resolved(at("/home/me/up/etc/../home")), "/home");
  EXPECT_EQ(resolved(at("/mnt/lab/..")), "/mnt");
  EXPECT_EQ(resolved(at("/../../etc")), "/etc");
  EXPECT_EQ(resolved(at("/file/..")), "ENOTDIR");
  EXPECT_EQ(resolved(at("/none/..")), "ENOENT");
  EXPECT_EQ(resolved(at("/mnt/lab/data/self/self/sub/..")), "/mnt/lab/data");
}

TEST_F(Resolver, RelativePathsStartFromTheBase) {
  EXPECT_EQ(resolved({.base = "/mnt/lab/data", .path = "../../other"}), "/mnt/other");
  EXPECT_EQ(resolved({.base = "/mnt/lab", .path = "."}), "/mnt/lab");
  EXPECT_EQ(resolved({.base = "/mnt/lab", .path = ""}), "ENOENT");
}

TEST_F(Resolver, AProgramsRootHoldsItIn) {
  EXPECT_EQ(resolved({.base = "/mnt", .path = "/../../lab/data/x", .root = "/mnt"}), "/mnt/lab/data/x");
  // Absolute targets are read from the program's root too.
  EXPECT_EQ(resolved({.base = "/home", .path = "me/data", .root = "/home"}), "ENOENT");
  EXPECT_EQ(resolved({.base = "/mnt/lab", .path = "data/rel", .root = "/mnt/lab"}), "ENOENT");
}

TEST_F(Resolver, TooManyLinksAndTooLong) {
  EXPECT_EQ(resolved(at("/loop")), "ELOOP");
  EXPECT_EQ(resolved(at("/loop/x")), "ELOOP");
  EXPECT_EQ(resolved({.path = "/loop", .follow = false}), "/loop");
  EXPECT_EQ(resolved(at(std::string(4096, '/'))), "ENAMETOOLONG");
  EXPECT_EQ(resolved(at(std::string(4095, '/'))), "/");
  EXPECT_EQ(resolved(at("/" + std::string(256, 'n'))), "ENAMETOOLONG");
}

TEST_F(Resolver, TrailingSlashDemandsADirectory) {
  EXPECT_EQ(resolved(at("/file/")), "ENOTDIR");
  EXPECT_EQ(resolved({.path = "/to-etc/", .follow = false}), "/etc");
  EXPECT_EQ(resolved({.path = "/to-etc", .follow = false}), "/to-etc");
  EXPECT_EQ(contents(space_, "/etc/passwd/"), "ENOTDIR");
}

TEST_F(Resolver, ResolveFlags) {
  const auto with = [&](std::string_view base, std::string_view path, uint64_t flags) {
    return resolved({.base = base, .path = path, .resolve = flags});
  };
  EXPECT_EQ(with("/home/me", "data/x", RESOLVE_NO_SYMLINKS), "ELOOP");
  EXPECT_EQ(with("/", "mnt/lab/data/x", RESOLVE_NO_SYMLINKS), "/mnt/lab/data/x");
  EXPECT_EQ(with("/mnt", "/mnt/lab", RESOLVE_BENEATH), "EXDEV");
  EXPECT_EQ(with("/mnt", "lab/../../etc", RESOLVE_BENEATH), "EXDEV");
  EXPECT_EQ(with("/mnt", "lab/../other", RESOLVE_BENEATH), "/mnt/other");
  EXPECT_EQ(with("/home/me", "data", RESOLVE_BENEATH), "EXDEV");
  EXPECT_EQ(with("/mnt", "/lab/../../other", RESOLVE_IN_ROOT), "/mnt/other");
  EXPECT_EQ(with("/mnt/lab", "data/abs", RESOLVE_IN_ROOT), "ENOENT");
  EXPECT_EQ(with("/", "mnt/lab/data", RESOLVE_NO_XDEV), "EXDEV");
  EXPECT_EQ(with("/mnt/lab", "data/x", RESOLVE_NO_XDEV), "/mnt/lab/data/x");
  EXPECT_EQ(with("/mnt/lab", "data/../..", RESOLVE_NO_XDEV), "EXDEV");
  EXPECT_EQ(with("/mnt/lab", "data/abs", RESOLVE_NO_XDEV), "EXDEV");
  EXPECT_EQ(with("/", "mnt/other", RESOLVE_NO_XDEV), "/mnt/other");
}

TEST_F(Resolver, APlaceSaysWhatItIs) {
  const auto host = resolve(space_.table(), at("/to-etc/passwd"));
  ASSERT_TRUE(host);
  EXPECT_EQ(host->host_path(), "/etc/passwd");
  EXPECT_EQ(host->server_path(), "etc/passwd");
  const auto lab = resolve(space_.table(), at("/mnt/lab"));
  ASSERT_TRUE(lab);
  EXPECT_EQ(lab->host_path(), std::nullopt);
  EXPECT_TRUE(lab->is_mount_point());
  EXPECT_FALSE(lab->is_merged());
  EXPECT_TRUE(resolve(space_.table(), at("/mnt"))->is_merged());
}

TEST_F(Resolver, AMissingNameHasAPlaceIfItsDirectoryExists) {
  const auto place = resolve(space_.table(), at("/home/me/data/new"), Missing::allowed);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->path(), "/mnt/lab/data/new");
  EXPECT_EQ(place->server_path(), "data/new");
  EXPECT_EQ(outcome(resolve(space_.table(), at("/none/new"), Missing::allowed)), "ENOENT");
  EXPECT_EQ(outcome(resolve(space_.table(), at("/file/new"), Missing::allowed)), "ENOTDIR");
}

TEST_F(Resolver, TwoPathsOfOneServerCostOneCall) {
  EXPECT_EQ(outcome(rename(space_.table(), at("/mnt/lab/data/x"), at("/mnt/lab/z"), 0)), "ok");
  EXPECT_EQ(lab_->calls, 1);
  // Through a link on the host: one more for the link.
  EXPECT_EQ(outcome(link(space_.table(), {.path = "/home/me/data/sub/y", .follow = false}, at("/mnt/lab/y2"))), "ok");
  EXPECT_EQ(contents(space_, "/mnt/lab/y2"), "pip://lab/proj:data/sub/y");
}

TEST_F(Resolver, TwoServersAreTwoDevices) {
  EXPECT_EQ(outcome(rename(space_.table(), at("/mnt/lab/data/x"), at("/etc/x"), 0)), "EXDEV");
  EXPECT_EQ(outcome(link(space_.table(), at("/file"), at("/home/me/data/file"))), "EXDEV");
  EXPECT_EQ(outcome(rename(space_.table(), at("/mnt/lab/none/x"), at("/etc/x"), 0)), "ENOENT");
}

TEST_F(Resolver, MountPointsAreBusy) {
  EXPECT_EQ(outcome(remove(space_.table(), at("/mnt/lab"), true)), "EBUSY");
  EXPECT_EQ(outcome(remove(space_.table(), at("/mnt"), true)), "EBUSY");
  EXPECT_EQ(outcome(rename(space_.table(), at("/mnt"), at("/mnt2"), 0)), "EBUSY");
  EXPECT_EQ(outcome(rename(space_.table(), at("/file"), at("/mnt/lab"), 0)), "EXDEV");
  EXPECT_EQ(outcome(make(space_.table(), at("/mnt/lab"), {.mode = S_IFDIR | 0755, .device = 0, .target = {}})),
            "EEXIST");
}

// A server whose reports make no sense must not lead anywhere.
class LyingServer final : public pip::Server {
 public:
  explicit LyingServer(pip::WalkError lie) : lie_(std::move(lie)) {}
  pip::Walked<pip::Opened> open(std::string_view, const pip::OpenMode&) override { return std::unexpected(lie_); }
  pip::Walked<pip::Attributes> stat(std::string_view path) override {
    if (path.empty()) return pip::Attributes{.mode = S_IFDIR | 0755};
    return std::unexpected(lie_);
  }
  pip::Walked<std::string> read_link(std::string_view) override { return std::unexpected(lie_); }
  pip::Walked<void> change(std::string_view, const pip::AttributeChange&) override { return std::unexpected(lie_); }
  pip::Walked<void> make(std::string_view, const pip::NewFile&) override { return std::unexpected(lie_); }
  pip::Walked<void> remove(std::string_view, bool) override { return std::unexpected(lie_); }
  pip::Walked<void> rename(std::string_view, std::string_view, unsigned) override { return std::unexpected(lie_); }
  pip::Walked<void> link(std::string_view, std::string_view) override { return std::unexpected(lie_); }
  Result<pip::FileSystemStat> statfs() override { return fail(EIO); }
  [[nodiscard]] std::string name() const override { return "#lie"; }

 private:
  pip::WalkError lie_;
};

TEST_F(Resolver, SenselessReportsAreIoErrors) {
  for (const auto& lie : {pip::WalkError::link(99, "x"), pip::WalkError::link(0, "x"), pip::WalkError::link(2, "x"),
                          pip::WalkError::link(1, std::string("x\0y", 3))}) {
    Namespace space(root_);
    ASSERT_TRUE(space.mount(std::make_shared<LyingServer>(lie), "", at("/mnt/other"), {}));
    EXPECT_EQ(contents(space, "/mnt/other/a/bb"), lie.consumed == 2 ? "EIO" : "EIO");
  }
  Namespace space(root_);
  ASSERT_TRUE(space.mount(std::make_shared<LyingServer>(pip::WalkError::link(1, "a")), "", at("/mnt/other"), {}));
  EXPECT_EQ(contents(space, "/mnt/other/a/bb"), "ELOOP");
}

}  // namespace
}  // namespace osp::ns::test
