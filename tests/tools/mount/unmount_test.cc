#include "tools/mount/unmount.h"

#include <gtest/gtest.h>

namespace osp::fuse {
namespace {

TEST(UnmountTest, MountsAreReadWithTheirEscapes) {
  const auto mounts = parse_mounts(
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
      "40 22 0:50 / /tmp/a\\040b\\134c rw,nosuid,nodev - fuse.osp pip://lab/x\\054y rw,user_id=1000,group_id=1000\n"
      "nonsense\n");
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].directory, "/");
  EXPECT_EQ(mounts[0].type, "ext4");
  EXPECT_EQ(mounts[1].directory, "/tmp/a b\\c");
  EXPECT_EQ(mounts[1].type, "fuse.osp");
  EXPECT_EQ(mounts[1].id, 40);
  EXPECT_EQ(mounts[1].owner, 1000U);
  EXPECT_EQ(mounts[1].source, "pip://lab/x,y");
}

}  // namespace
}  // namespace osp::fuse
