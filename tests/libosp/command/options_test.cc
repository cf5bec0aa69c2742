#include "libosp/command/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace osp::command {
namespace {

using host::NamespaceOption;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsNull;
using testing::StrEq;

// An argv that lives as long as the test.
class CommandLine {
 public:
  CommandLine(std::initializer_list<const char*> arguments) : words_{"osp-run"} {
    words_.insert(words_.end(), arguments.begin(), arguments.end());
    for (std::string& word : words_) argv_.push_back(word.data());
    argv_.push_back(nullptr);
  }
  std::expected<RunOptions, std::string> parse() { return parse_run_options(argv_.data()); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> argv_;
};

std::string error_of(std::initializer_list<const char*> arguments) {
  const auto options = CommandLine(arguments).parse();
  return options ? "accepted" : options.error();
}

TEST(RunOptions, AProgramAloneNeedsNoOption) {
  CommandLine line{"ls", "-l"};
  const auto options = line.parse();
  ASSERT_TRUE(options);
  EXPECT_STREQ(options->program[0], "ls");
  EXPECT_STREQ(options->program[1], "-l");
  EXPECT_EQ(options->program[2], nullptr);
  EXPECT_TRUE(options->names.empty());
  EXPECT_EQ(options->trace, nullptr);
}

TEST(RunOptions, NameSpaceOptionsKeepTheirOrderAcrossKinds) {
  CommandLine line{"-b", "/a=/b", "--ns", "one.ns", "-mtcp:h=/m", "--ns=two.ns", "true"};
  const auto options = line.parse();
  ASSERT_TRUE(options);
  std::vector<std::pair<NamespaceOption::Kind, std::string>> seen;
  for (const NamespaceOption& one : options->names) seen.emplace_back(one.kind, one.text);
  EXPECT_THAT(seen, ElementsAre(std::pair(NamespaceOption::Kind::bind, "/a=/b"),
                                std::pair(NamespaceOption::Kind::file, "one.ns"),
                                std::pair(NamespaceOption::Kind::mount, "tcp:h=/m"),
                                std::pair(NamespaceOption::Kind::file, "two.ns")));
}

TEST(RunOptions, ARootHasItsPlaceAmongTheNames) {
  CommandLine line{"-b", "/a=/b", "--root", "/r", "--bare-root", "-b", "/c=/d"};
  const auto options = line.parse();
  ASSERT_TRUE(options);  // no program: the root's image may name one
  EXPECT_STREQ(options->root, "/r");
  EXPECT_TRUE(options->bare_root);
  EXPECT_EQ(options->root_place, 1U);
  EXPECT_EQ(options->names[1].kind, NamespaceOption::Kind::contents);
  EXPECT_THAT(error_of({"--root", "/a", "--root", "/b", "true"}), HasSubstr("there is one root"));
  EXPECT_THAT(error_of({"--bare-root", "true"}), HasSubstr("goes with --root"));
  EXPECT_THAT(error_of({"--root", "", "true"}), HasSubstr("give a directory"));
}

TEST(RunOptions, OptionsStopAtTheProgramAndAtTwoDashes) {
  CommandLine program{"env", "--trace", "-u", "X"};
  EXPECT_EQ(program.parse()->trace, nullptr);
  CommandLine dashes{"--", "--odd-name", "-m"};
  const auto options = dashes.parse();
  ASSERT_TRUE(options);
  EXPECT_STREQ(options->program[0], "--odd-name");
  CommandLine dash{"-"};
  EXPECT_STREQ(dash.parse()->program[0], "-");
}

TEST(RunOptions, TraceTakesItsFileOnlyWithAnEqualsSign) {
  CommandLine to_stderr{"--trace", "true"};
  EXPECT_STREQ(to_stderr.parse()->trace, "");
  CommandLine to_file{"--trace=out", "true"};
  EXPECT_STREQ(to_file.parse()->trace, "out");
}

TEST(RunOptions, TheRest) {
  CommandLine line{"--chdir", "/x", "--threads=fibers", "true"};
  EXPECT_STREQ(line.parse()->change_directory, "/x");
  CommandLine help{"--help"};
  EXPECT_TRUE(help.parse()->help);
  CommandLine version{"--version"};
  EXPECT_TRUE(version.parse()->version);
}

TEST(RunOptions, ErrorsNameTheOptionAndTheRemedy) {
  EXPECT_THAT(error_of({}), HasSubstr("no program is given"));
  EXPECT_THAT(error_of({"--nope", "true"}), HasSubstr("--nope: no such option; see osp-run --help"));
  EXPECT_THAT(error_of({"-x"}), HasSubstr("-x: no such option"));
  EXPECT_THAT(error_of({"--ns"}), HasSubstr("--ns: a value is missing"));
  EXPECT_THAT(error_of({"-m", "tcp:h", "true"}), HasSubstr("-m 'tcp:h': the form is URL=PATH"));
  EXPECT_THAT(error_of({"-b", "/a=", "true"}), HasSubstr("-b '/a=': the form is OLD=NEW"));
  EXPECT_THAT(error_of({"-e", "=x", "true"}), HasSubstr("the form is VAR=VALUE"));
  EXPECT_THAT(error_of({"-u", "A=B", "true"}), HasSubstr("give the name of a variable"));
  EXPECT_THAT(error_of({"--threads=host", "true"}), HasSubstr("the choice is 'fibers'"));
  EXPECT_THAT(error_of({"--trace=", "true"}), HasSubstr("give a file"));
  EXPECT_THAT(error_of({"--help=me"}), HasSubstr("--help 'me': takes no value"));
}

TEST(ChangedEnvironment, SetsReplacesRemovesAndPassesOn) {
  const char* const before[] = {"A=1", "B=2", "AB=3", "C=4", nullptr};
  const auto after =
      changed_environment(before, {{"A=9", false}, {"B", true}, {"C", true}, {"C", false}, {"N=", false}});
  ASSERT_TRUE(after);
  EXPECT_THAT(*after, ElementsAre(StrEq("AB=3"), StrEq("A=9"), StrEq("C=4"), StrEq("N="), IsNull()));
}

TEST(ChangedEnvironment, RefusesToPassOnWhatIsNotSet) {
  const char* const before[] = {"AB=1", nullptr};
  const auto after = changed_environment(before, {{"A", false}});
  ASSERT_FALSE(after);
  EXPECT_THAT(after.error(), HasSubstr("-e 'A': is not set here"));
}

}  // namespace
}  // namespace osp::command
