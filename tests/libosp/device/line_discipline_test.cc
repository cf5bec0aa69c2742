#include "libosp/device/line_discipline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace osp::device {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LineTest : public ::testing::Test, public LineDiscipline::Signals {
 protected:
  void raise(int signo) override { signals.push_back(signo); }

  size_t type(std::string_view text) { return line.receive(std::as_bytes(std::span(text))); }
  size_t print(std::string_view text) { return line.write(std::as_bytes(std::span(text))); }
  // "-" where there is nothing to read.
  std::string read(size_t most = 100) {
    std::vector<std::byte> bytes(most);
    const auto got = line.read(bytes);
    return got ? std::string(reinterpret_cast<const char*>(bytes.data()), *got) : "-";
  }
  std::string shown() {
    std::vector<std::byte> bytes(line.output().size());
    line.output().take(bytes);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void change(auto edit) {
    LineSettings settings = line.settings();
    edit(settings);
    line.set(settings);
  }
  void make_raw() {
    change([](LineSettings& s) { s.local &= ~(ICANON | ECHO | ISIG), s.input = 0, s.output = 0; });
  }

  std::vector<int> signals;
  LineDiscipline line{*this};
};

TEST_F(LineTest, ALineIsReadWhenItIsWhole) {
  type("ls");
  EXPECT_EQ(read(), "-");
  type(" -l\rnext\n");
  EXPECT_EQ(line.waiting(), 11U);
  EXPECT_EQ(read(), "ls -l\n");
  EXPECT_EQ(read(2), "ne");
  EXPECT_EQ(read(), "xt\n");
  EXPECT_EQ(read(), "-");
}

TEST_F(LineTest, EchoShowsControlCharactersAndEndsOfLine) {
  type("a\x01\tb\r");
  EXPECT_EQ(shown(), "a^A\tb\r\n");
}

TEST_F(LineTest, EraseTakesBackWhatWasShown) {
  type("ab\x01\x7f\x7f");
  EXPECT_EQ(shown(), "ab^A\b \b\b \b\b \b");
  type("\n");
  EXPECT_EQ(read(), "a\n");
  type("\x7f\n");
  EXPECT_EQ(read(), "\n");
}

TEST_F(LineTest, ATabIsErasedToWhereItBegan) {
  type("abc\t\x7f");
  EXPECT_EQ(shown(), "abc\t\b\b\b\b\b");
}

TEST_F(LineTest, EraseTakesWholeCharactersOfUtf8) {
  change([](LineSettings& s) { s.input |= IUTF8; });
  type("a\xc3\xa4\x7f");
  EXPECT_EQ(shown(), "a\xc3\xa4\b \b");
  type("\n");
  EXPECT_EQ(read(), "a\n");
}

TEST_F(LineTest, WordAndLineAreErased) {
  type("one two  \x17");
  EXPECT_EQ(shown(), "one two  \b \b\b \b\b \b\b \b\b \b");
  type("3\n");
  EXPECT_EQ(read(), "one 3\n");
  shown();
  type("xyz\x15");
  EXPECT_EQ(shown(), "xyz\b \b\b \b\b \b");
  type("q\n");
  EXPECT_EQ(read(), "q\n");
}

TEST_F(LineTest, KillWithoutEchokeStartsANewLine) {
  change([](LineSettings& s) { s.local &= ~static_cast<uint32_t>(ECHOKE); });
  type("xy\x15");
  EXPECT_EQ(shown(), "xy^U\r\n");
}

TEST_F(LineTest, HardCopyEraseShowsWhatGoes) {
  change([](LineSettings& s) { s.local |= ECHOPRT; });
  type("abc\x7f\x7fx\n");
  EXPECT_EQ(shown(), "abc\\cb/x\r\n");
  EXPECT_EQ(read(), "ax\n");
}

TEST_F(LineTest, EndOfFile) {
  type("ab\x04");
  EXPECT_EQ(read(), "ab");
  EXPECT_EQ(read(), "-");
  type("\x04");
  EXPECT_TRUE(line.has_input());
  EXPECT_EQ(read(), "");
  EXPECT_EQ(read(), "-");
}

TEST_F(LineTest, OtherEndsOfLine) {
  change([](LineSettings& s) { s.characters[VEOL] = ';', s.characters[VEOL2] = ','; });
  type("a;b,");
  EXPECT_EQ(read(), "a;");
  EXPECT_EQ(read(), "b,");
}

TEST_F(LineTest, TheNextCharacterIsTakenAsItIs) {
  type("\x16\x03\x16\r\n");
  EXPECT_THAT(signals, IsEmpty());
  EXPECT_EQ(shown(), "^\b^C^\b^M\r\n");
  EXPECT_EQ(read(), "\x03\r\n");
}

TEST_F(LineTest, ReprintShowsTheLineAgain) {
  type("ab\x12");
  EXPECT_EQ(shown(), "ab^R\r\nab");
}

TEST_F(LineTest, SignalsFlushTheInput) {
  type("line\npart\x03");
  EXPECT_THAT(signals, ElementsAre(SIGINT));
  EXPECT_EQ(shown(), "^C");
  EXPECT_EQ(read(), "-");
  type("x\x1c\x1a\n");
  EXPECT_THAT(signals, ElementsAre(SIGINT, SIGQUIT, SIGTSTP));
  EXPECT_EQ(read(), "\n");
}

TEST_F(LineTest, SignalsWithoutFlush) {
  change([](LineSettings& s) { s.local |= NOFLSH; });
  type(
      "ab\x03"
      "c\n");
  EXPECT_EQ(read(), "abc\n");
}

TEST_F(LineTest, OutputStopsAndGoesOn) {
  type("\x13");
  EXPECT_TRUE(line.stopped());
  type("a");
  EXPECT_TRUE(line.stopped());
  type("\x11");
  EXPECT_FALSE(line.stopped());
  change([](LineSettings& s) { s.input |= IXANY; });
  type("\x13z");
  EXPECT_FALSE(line.stopped());
  EXPECT_EQ(read(), "-");
  type("\n");
  EXPECT_EQ(read(), "az\n");
}

TEST_F(LineTest, OutputIsMapped) {
  EXPECT_EQ(print("a\tb\nc"), 5U);
  EXPECT_EQ(shown(), "a\tb\r\nc");
  change([](LineSettings& s) { s.output |= XTABS; });
  print("\rab\tc");
  EXPECT_EQ(shown(), "\rab      c");
  change([](LineSettings& s) { s.output = 0; });
  print("\n");
  EXPECT_EQ(shown(), "\n");
}

TEST_F(LineTest, OutputTakesWhatItHasRoomFor) {
  const std::string much(LineDiscipline::output_capacity - 1, 'x');
  EXPECT_EQ(print(much), much.size());
  EXPECT_EQ(print("\n"), 0U);  // two bytes
  EXPECT_EQ(print("yz"), 1U);
}

TEST_F(LineTest, InputIsMapped) {
  change([](LineSettings& s) { s.input = IGNCR | INLCR; });
  type("a\rb\n");
  EXPECT_EQ(read(), "-");
  type("\x04");
  EXPECT_EQ(read(), "ab\r");
  change([](LineSettings& s) { s.input = ISTRIP; });
  type("\xe1\n");
  EXPECT_EQ(read(), "a\n");
}

TEST_F(LineTest, WithoutEditingEachByteIsThereAtOnce) {
  make_raw();
  type("a\x03\x7f");
  type("\r");
  EXPECT_THAT(signals, IsEmpty());
  EXPECT_EQ(shown(), "");
  EXPECT_EQ(line.waiting(), 4U);
  EXPECT_EQ(read(2), "a\x03");
  EXPECT_EQ(read(), "\x7f\r");
}

TEST_F(LineTest, WhatWasEditedCanBeReadWhenEditingEnds) {
  type("line\npart\x04\x04");
  type("more");
  make_raw();
  EXPECT_EQ(read(), "line\npartmore");
  EXPECT_EQ(read(), "-");
}

TEST_F(LineTest, AFullInputTakesNoMore) {
  make_raw();
  const std::string much(5000, 'x');
  EXPECT_EQ(type(much), LineDiscipline::most_input);
  EXPECT_EQ(type("y"), 0U);
  read(10);
  EXPECT_EQ(type("y"), 1U);
}

TEST_F(LineTest, ALineThatIsTooLongCanBeEnded) {
  const std::string much(5000, 'x');
  EXPECT_EQ(type(much), 5000U);
  EXPECT_EQ(type("\n"), 1U);
  EXPECT_EQ(read(9000).size(), LineDiscipline::most_input + 1);
}

TEST_F(LineTest, NoEchoButEndsOfLine) {
  change([](LineSettings& s) { s.local = (s.local & ~static_cast<uint32_t>(ECHO)) | ECHONL; });
  type("secret\x7f\x15pass\n");
  EXPECT_EQ(shown(), "\r\n");
  EXPECT_EQ(read(), "pass\n");
}

}  // namespace
}  // namespace osp::device
