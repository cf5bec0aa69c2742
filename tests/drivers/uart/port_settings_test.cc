#include "drivers/uart/port_settings.h"

#include <gtest/gtest.h>

#include "drivers/uart/registers.h"

namespace {

using namespace osp::uart;

TEST(PortSettings, WordsChangeWhatTheyName) {
  const auto orders = parse_orders(" b9600 l7\tpe s2 d0 r0 m1 i0\n", {});
  ASSERT_TRUE(orders);
  const PortSettings wanted{.speed = 9600,
                            .bits = 7,
                            .stops = 2,
                            .parity = 'e',
                            .dtr = false,
                            .rts = false,
                            .obeys_cts = true,
                            .fifo = false};
  EXPECT_EQ(orders->settings, wanted);
  EXPECT_FALSE(orders->flush_output);
  EXPECT_EQ(wanted.divisor(), 12);
  EXPECT_EQ(wanted.line_control(), 2 | 4 | 8 | 16);
  EXPECT_EQ(PortSettings().line_control(), 3);
}

TEST(PortSettings, NothingAndFlush) {
  EXPECT_EQ(parse_orders("", {.speed = 300})->settings.speed, 300U);
  EXPECT_TRUE(parse_orders("f", {})->flush_output);
}

TEST(PortSettings, OneWordThatIsNoneSpoilsAll) {
  for (const char* text : {"b0", "b", "b115201", "b1", "l4", "l9", "s0", "s3", "px", "p", "z1", "b9600x", "d-1", "f1",
                           "b9600 q3", "l99999999999"})
    EXPECT_EQ(parse_orders(text, {}).error().code, EINVAL) << text;
}

TEST(PortSettings, StatusSaysIt) {
  EXPECT_EQ(status_text({}, {.framing = 1, .parity = 2, .overruns = 3, .breaks = 4}, modem_status::cts),
            "b115200 d1 l8 m0 pn r1 s1 i1\nframing(1) parity(2) overruns(3) breaks(4) cts\n");
}

}  // namespace
