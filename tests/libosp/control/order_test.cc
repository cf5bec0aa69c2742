#include "libosp/control/order.h"

#include <gtest/gtest.h>

namespace osp::control {
namespace {

TEST(ParseCheckpoint, TakesAPath) {
  const auto order = parse_checkpoint("checkpoint /tmp/a b.osp\n");
  ASSERT_TRUE(order);
  EXPECT_EQ(order->path, "/tmp/a b.osp");
  EXPECT_FALSE(order->leave_running);
  EXPECT_FALSE(order->force);
  EXPECT_EQ(order->progress, "");
}

TEST(ParseCheckpoint, TakesOptionsInAnyOrder) {
  const auto order = parse_checkpoint("checkpoint force progress=/proc/1/fd/3 leave-running /x");
  ASSERT_TRUE(order);
  EXPECT_TRUE(order->force);
  EXPECT_TRUE(order->leave_running);
  EXPECT_EQ(order->progress, "/proc/1/fd/3");
  EXPECT_EQ(order->path, "/x");
}

TEST(ParseCheckpoint, RefusesWhatIsNoOrder) {
  EXPECT_FALSE(parse_checkpoint(""));
  EXPECT_FALSE(parse_checkpoint("stop"));
  EXPECT_FALSE(parse_checkpoint("checkpoint"));
  EXPECT_FALSE(parse_checkpoint("checkpoint image.osp"));
  EXPECT_FALSE(parse_checkpoint("checkpoint leave-running"));
  EXPECT_FALSE(parse_checkpoint("checkpoint progress=relative /x"));
}

}  // namespace
}  // namespace osp::control
