#include "libosp/load/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace osp::load {
namespace {

using ::testing::ElementsAre;

Outcome<Script> parse_text(std::string_view text) { return parse_script(std::as_bytes(std::span(text))); }

void expect_script(std::string_view text, std::string_view interpreter, const char* argument) {
  const auto script = parse_text(text);
  ASSERT_TRUE(script) << text;
  EXPECT_EQ(script->interpreter, interpreter) << text;
  EXPECT_EQ(script->has_argument, argument != nullptr) << text;
  EXPECT_EQ(script->argument, argument != nullptr ? argument : "") << text;
}

TEST(Script, SplitsTheLineAsLinuxDoes) {
  expect_script("#!/bin/sh\necho", "/bin/sh", nullptr);
  expect_script("#!/bin/sh", "/bin/sh", nullptr);
  expect_script("#! \t/bin/sh  \t\n", "/bin/sh", nullptr);
  expect_script("#!/usr/bin/env python3\n", "/usr/bin/env", "python3");
  expect_script("#!/usr/bin/awk  -f  -v x \t\n", "/usr/bin/awk", "-f  -v x");
  expect_script("#!sh -e\r\n", "sh", "-e\r");
  expect_script(std::string_view("#!/bin/sh\0 -x\n", 14), "/bin/sh", nullptr);
  expect_script(std::string_view("#!/bin/sh -x\0y\n", 15), "/bin/sh", "-x");
}

TEST(Script, RefusesLinesWithoutAnInterpreter) {
  for (const char* text : {"#!\n/bin/sh", "#!", "#!  \t\n", "#", "x!/bin/sh\n", "# !/bin/sh\n"}) {
    const auto script = parse_text(text);
    ASSERT_FALSE(script) << text;
    EXPECT_EQ(script.error().error, Error(ENOEXEC));
    EXPECT_FALSE(script.error().reason.empty());
  }
}

TEST(Script, ALongNameIsRefusedAndALongArgumentCut) {
  EXPECT_FALSE(parse_text("#!/" + std::string(300, 'a') + "\n"));
  // With the newline as the last of the 256 bytes all of it counts.
  const std::string fits = "#!/" + std::string(252, 'a') + "\n";
  ASSERT_EQ(fits.size(), script_head_size);
  expect_script(fits, fits.substr(2, 253), nullptr);
  const std::string cut = "#!/bin/sh " + std::string(300, 'b') + "\n";
  expect_script(cut, "/bin/sh", std::string(245, 'b').c_str());
  // The name ends within the buffer by a blank, its argument does not begin in it.
  expect_script("#!/bin/sh" + std::string(300, ' ') + "x\n", "/bin/sh", nullptr);
}

TEST(Script, MakesTheInterpretersArgv) {
  const std::vector<std::string> argv = {"prog", "a", "b c"};
  EXPECT_THAT(script_argv({"/bin/sh", "-e", true}, "./s", argv), ElementsAre("/bin/sh", "-e", "./s", "a", "b c"));
  EXPECT_THAT(script_argv({"/bin/sh", "", false}, "./s", {}), ElementsAre("/bin/sh", "./s"));
}

}  // namespace
}  // namespace osp::load
