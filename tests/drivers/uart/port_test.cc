#include "drivers/uart/port.h"

#include <gtest/gtest.h>

#include "tests/drivers/uart/fake_chip.h"

namespace {

using namespace osp::uart;

std::string bytes(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>(i * 7 + i / 256);
  return text;
}

size_t send(Port& port, std::string_view text) { return port.send(std::as_bytes(std::span(text))); }

std::string take(Port& port) {
  std::string text(port.received(), '\0');
  text.resize(port.take(text));
  return text;
}

// The line brings all that it may; the port is served whenever the chip asks.
void run_line(FakeChip& chip, Port& port) {
  for (chip.bring(); chip.interrupts(); chip.bring()) {
    port.serve();
    port.begin_round();
    port.settle();
  }
}

TEST(Port, BeginsWithTheChipSetUp) {
  FakeChip chip;
  chip.coming = "old";
  chip.bring();
  const Port port(chip);
  EXPECT_EQ(chip.divisor, 1);
  EXPECT_EQ(chip.line_control, 3);
  EXPECT_EQ(chip.modem_control, modem_control::dtr | modem_control::rts | modem_control::lets_interrupts_through);
  EXPECT_FALSE(chip.interrupts());
  EXPECT_EQ(port.received(), 0U);
}

TEST(Port, ReceivesAllInOrder) {
  FakeChip chip;
  Port port(chip);
  const std::string text = bytes(1000);
  chip.coming = text;
  run_line(chip, port);
  EXPECT_FALSE(port.has_news());  // the line may bring more at once
  chip.rest();
  run_line(chip, port);
  EXPECT_TRUE(port.has_news());
  EXPECT_EQ(take(port), text);
  EXPECT_FALSE(port.has_news());
}

TEST(Port, TellsOfMuchBeforeTheLineRests) {
  FakeChip chip;
  Port port(chip);
  chip.coming = bytes(Port::batch + 100);
  run_line(chip, port);
  EXPECT_TRUE(port.has_news());
}

TEST(Port, LeavesToTheLineWhatItHasNoRoomFor) {
  FakeChip chip;
  Port port(chip);
  const std::string text = bytes(Port::capacity + 5000);
  chip.coming = text;
  run_line(chip, port);
  EXPECT_GE(port.received(), Port::capacity - received_trigger);
  EXPECT_GE(chip.coming.size(), 4000U);
  EXPECT_FALSE(chip.interrupts());
  std::string got;
  while (got.size() < text.size()) {
    const size_t before = got.size();
    got += take(port);
    port.begin_round();
    port.settle();
    run_line(chip, port);
    chip.rest();
    run_line(chip, port);
    ASSERT_GT(got.size() + port.received(), before);
  }
  EXPECT_EQ(got, text);
}

TEST(Port, SendsAtOnceWhatTheLineTakes) {
  FakeChip chip;
  Port port(chip);
  const std::string text = bytes(100);
  port.begin_round();
  EXPECT_EQ(send(port, text), 100U);
  port.settle();
  EXPECT_EQ(chip.gone, text);
  EXPECT_FALSE(chip.interrupts());
  EXPECT_TRUE(port.all_sent());
}

TEST(Port, GoesOnByInterruptWhenTheLineWasBlocked) {
  FakeChip chip;
  Port port(chip);
  chip.is_blocked = true;
  const std::string text = bytes(100);
  size_t done = 0;
  while (done < text.size()) {
    port.begin_round();
    done += send(port, text.substr(done));
    port.settle();
    EXPECT_FALSE(chip.interrupts());
    EXPECT_FALSE(port.all_sent());
    chip.carry();
    EXPECT_EQ(chip.interrupts(), done < text.size());
    port.serve();
    EXPECT_FALSE(chip.interrupts());
  }
  EXPECT_EQ(chip.gone, text);
  EXPECT_EQ(chip.lost, 0U);
}

TEST(Port, WaitsForTheOtherSideIfItIsTold) {
  FakeChip chip;
  Port port(chip);
  port.apply({.settings = {.obeys_cts = true}});
  EXPECT_EQ(send(port, "abc"), 0U);
  chip.modem_status = modem_status::cts;
  EXPECT_EQ(send(port, "abc"), 3U);
}

TEST(Port, WithoutFifoByteForByte) {
  FakeChip chip;
  Port port(chip);
  port.apply({.settings = {.fifo = false}});
  chip.is_blocked = true;
  EXPECT_EQ(send(port, "abc"), 1U);
}

TEST(Port, CountsWhatTheLineSpoilt) {
  FakeChip chip;
  Port port(chip);
  chip.line_errors = line_status::framing | line_status::overrun;
  ASSERT_TRUE(chip.interrupts());
  port.serve();
  EXPECT_FALSE(chip.interrupts());
  EXPECT_NE(port.status().find("framing(1) parity(0) overruns(1) breaks(0)"), std::string::npos);
}

}  // namespace
