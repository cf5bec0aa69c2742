#include "libosp/native/control_line_order.h"

#include <gtest/gtest.h>

namespace {

using namespace osp::native;

TEST(ControlLineOrder, Orders) {
  EXPECT_EQ(std::get<order::End>(*parse_order("eof 18446744073709551615")).count, UINT64_MAX);
  EXPECT_EQ(std::get<order::Signal>(*parse_order("signal 15")).number, 15);
  const auto size = std::get<order::Resize>(*parse_order("size 24 80"));
  EXPECT_EQ(size.rows, 24);
  EXPECT_EQ(size.columns, 80);
  EXPECT_TRUE(std::holds_alternative<order::Closed>(*parse_order("closed")));
}

TEST(ControlLineOrder, OthersAreNone) {
  for (const char* line :
       {"", "eof", "eof ", "eof x", "eof -1", "eof 1 2", "eof 18446744073709551616", "signal 0", "signal 65", "signal",
        "signal 15x", "size 24", "size 24 80 1", "size 65536 80", "closed 1", "stop", "EOF 1"})
    EXPECT_FALSE(parse_order(line)) << line;
}

}  // namespace
