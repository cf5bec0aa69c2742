#include "libosp/device/fd_names.h"

#include <gtest/gtest.h>

namespace osp::device {
namespace {

TEST(FdNames, NamesOfOpenFiles) {
  EXPECT_EQ(fd_of_name("/dev/fd/63", 5), 63);
  EXPECT_EQ(fd_of_name("/proc/self/fd/0", 5), 0);
  EXPECT_EQ(fd_of_name("/proc/5/fd/7", 5), 7);
  EXPECT_EQ(fd_of_name("/dev/stderr", 5), 2);
}

TEST(FdNames, OtherNames) {
  for (const char* path : {"/dev/fd", "/dev/fd/", "/dev/fd/1x", "/dev/fd/-1", "/dev/fd/1/2", "/proc/6/fd/7", "63",
                           "/dev/fd/99999999999", "/dev/stdin/x"})
    EXPECT_EQ(fd_of_name(path, 5), std::nullopt) << path;
}

}  // namespace
}  // namespace osp::device
