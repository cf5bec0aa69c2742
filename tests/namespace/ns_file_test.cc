#include "namespace/ns_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace osp::ns::test {
namespace {

using testing::HasSubstr;

class NsFile : public testing::Test {
 protected:
  NsResult<std::vector<Command>> parse(std::string_view text) {
    const auto read = [this](const std::string& path) -> Result<std::string> {
      const auto file = files_.find(path);
      if (file == files_.end()) return fail(ENOENT);
      return file->second;
    };
    const auto variable = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    };
    return parse_ns_text(text, "dir/t.ns", {.read = read, .variable = variable});
  }
  // The commands as text, one a line, or the error's text.
  std::string lines(std::string_view text) {
    const auto commands = parse(text);
    if (!commands) return commands.error().text();
    std::string all;
    for (const Command& command : *commands) all += command.text() + "\n";
    return all;
  }

  std::map<std::string, std::string> files_;
  std::map<std::string, std::string, std::less<>> variables_ = {{"HOME", "/home/me"}, {"ODD", "a b'c"}, {"NONE", ""}};
};

TEST_F(NsFile, Commands) {
  EXPECT_EQ(lines("mount pip://h/t /n\n"), "mount pip://h/t /n\n");
  EXPECT_EQ(lines("bind -a /opt/bin /usr/bin"), "bind -a /opt/bin /usr/bin\n");
  EXPECT_EQ(lines("bind -bc scratch/ /tmp"), "bind -bc scratch/ /tmp\n");
  EXPECT_EQ(lines("bind -b -c x y"), "bind -bc x y\n");
  EXPECT_EQ(lines("bind '#mem' /dev/shm"), "bind '#mem' /dev/shm\n");
  EXPECT_EQ(lines("bind #mem /dev/shm"), "bind '#mem' /dev/shm\n");
  EXPECT_EQ(lines("mount -o ro,at=2026-10-01 pip://h/t /d"), "mount -r -o at=2026-10-01 pip://h/t /d\n");
  EXPECT_EQ(lines("mount /srv/lab /n"), "mount /srv/lab /n\n");
  EXPECT_EQ(lines("unmount /n"), "unmount /n\n");
  EXPECT_EQ(lines("unmount '#m' /n"), "unmount '#m' /n\n");
  EXPECT_EQ(lines("bind -- -x y"), "bind -x y\n");
  EXPECT_EQ(lines(""), "");
}

TEST_F(NsFile, CommentsAndDevices) {
  EXPECT_EQ(lines("# bind a b\n#U is a comment here\n  #x\nbind #U /r # the host\n"), "bind '#U' /r\n");
  EXPECT_EQ(lines("bind a b #"), "bind a b\n");
  EXPECT_EQ(lines("bind a b #1 x"), "bind a b\n");
  EXPECT_EQ(lines("bind a#b c# "), "bind 'a#b' 'c#'\n");
  EXPECT_EQ(lines("bind '# x' b"), "bind '# x' b\n");
}

TEST_F(NsFile, QuotesVariablesContinuations) {
  EXPECT_EQ(lines("bind 'a b' 'it''s'"), "bind 'a b' 'it''s'\n");
  EXPECT_EQ(lines("bind $HOME/x ${HOME}y"), "bind /home/me/x /home/mey\n");
  EXPECT_EQ(lines("bind $ODD '$HOME'"), "bind 'a b''c' '$HOME'\n");
  EXPECT_EQ(lines("bind \\\n  a \\\r\n b\r\n"), "bind a b\n");
  EXPECT_EQ(lines("bind a\\b c"), "bind 'a\\b' c\n");
}

TEST_F(NsFile, ErrorsSayWhereWhatAndHow) {
  EXPECT_EQ(lines("bind a b\n  mont x y"),
            "dir/t.ns:2:3: unknown command 'mont'; commands are mount, bind, unmount and .");
  EXPECT_EQ(lines("bind a"), "dir/t.ns:1:1: bind has 1 operands; write: bind [-abcrp] OLD NEW");
  EXPECT_THAT(lines("bind -x a b"), HasSubstr("t.ns:1:6: there is no flag -x; write: bind"));
  EXPECT_THAT(lines("bind -ab a b"), HasSubstr("t.ns:1:6: -a and -b exclude each other"));
  EXPECT_THAT(lines("bind -o ro a b"), HasSubstr("no flag -o"));
  EXPECT_THAT(lines("unmount -a b"), HasSubstr("no flag -a"));
  EXPECT_THAT(lines("bind a 'b"), HasSubstr("t.ns:1:8: the quote is not closed"));
  EXPECT_THAT(lines("bind \"a\" b"), HasSubstr("t.ns:1:6: a double quote does not quote here"));
  EXPECT_THAT(lines("bind $UNSET b"), HasSubstr("t.ns:1:6: $UNSET is not set; set it"));
  EXPECT_THAT(lines("bind $ b"), HasSubstr("no variable name"));
  EXPECT_THAT(lines("bind ${HOME b"), HasSubstr("not closed"));
  EXPECT_THAT(lines("bind $NONE b"), HasSubstr("t.ns:1:6: an operand is empty"));
  EXPECT_THAT(lines(std::string_view("bind a\0b c", 10)), HasSubstr("NUL"));
  EXPECT_THAT(lines("mount /a /b"), HasSubstr("t.ns:1:7: /a names no server; mount takes"));
  EXPECT_THAT(lines("bind pip://h/t /b"), HasSubstr("use mount"));
  EXPECT_THAT(lines("bind /a #m"), HasSubstr("t.ns:1:9: #m is a device, not a mount point"));
  EXPECT_THAT(lines("mount -o"), HasSubstr("-o takes a list"));
}

TEST_F(NsFile, Includes) {
  files_ = {{"dir/sub/i", "bind a b\n. j\n"}, {"dir/sub/j", "bind c d"}, {"dir/loop", ". loop"}, {"dir/bad", "\nx"}};
  EXPECT_EQ(lines(". sub/i\nbind e f"), "bind a b\nbind c d\nbind e f\n");
  EXPECT_EQ(lines(". bad"), "dir/bad:2:1: unknown command 'x'; commands are mount, bind, unmount and .");
  EXPECT_THAT(lines(". none"), HasSubstr("dir/t.ns:1:3: cannot read dir/none: No such file or directory"));
  EXPECT_THAT(lines(". loop"), HasSubstr("does a file include itself?"));
  EXPECT_THAT(lines(". a b"), HasSubstr(". takes one file"));
}

TEST_F(NsFile, IncludesCannotExplode) {
  // 16 levels, each twice: 65,536 commands, were there no limit.
  for (int i = 0; i < 15; ++i)
    files_["dir/" + std::to_string(i)] = ". " + std::to_string(i + 1) + "\n. " + std::to_string(i + 1);
  files_["dir/15"] = "bind a b";
  EXPECT_THAT(lines(". 0"), HasSubstr("more than 10000 commands"));
  files_["dir/15"] = std::string(200'000, '#');
  EXPECT_THAT(lines(". 0"), HasSubstr("too large together"));
}

TEST_F(NsFile, CommandLineOptions) {
  const auto text = [](const NsResult<Command>& command) { return command ? command->text() : command.error().text(); };
  EXPECT_EQ(text(parse_bind_option("/a b=/c", 1)), "bind '/a b' /c");
  EXPECT_EQ(text(parse_bind_option("-ac /a=/c", 1)), "bind -ac /a /c");
  EXPECT_EQ(text(parse_mount_option("pip://h/t?x=1=/n", 1)), "mount 'pip://h/t?x=1' /n");
  EXPECT_EQ(text(parse_mount_option("-o ro,at=x pip://h/t=/n", 1)), "mount -r -o at=x pip://h/t /n");
  EXPECT_EQ(text(parse_bind_option("/a", 2)), "command line, -b option 2: '/a' has no =; write: -b OLD=NEW");
  EXPECT_THAT(text(parse_bind_option("=/a", 3)), HasSubstr("-b option 3: an operand is empty"));
  EXPECT_THAT(text(parse_mount_option("/a=/b", 1)), HasSubstr("names no server"));
}

TEST_F(NsFile, DeviceNames) {
  const auto name = parse_device("#m.scratch/a/b");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->device + "|" + name->instance + "|" + name->path, "m|scratch|a/b");
  EXPECT_EQ(parse_device("#U/etc.d")->instance, "");
  EXPECT_EQ(parse_device("#U")->device, "U");
  EXPECT_FALSE(parse_device("#"));
  EXPECT_FALSE(parse_device("#1"));
  EXPECT_FALSE(parse_device("./#m"));
}

// What is parsed and printed parses to the same again; what is not has a position and a reason.
TEST_F(NsFile, AnyTextParsesOrSaysWhyNot) {
  const std::vector<std::string> pieces = {"bind", "mount", "unmount", ".",    " ",     "\n",        "\t",     "'",
                                           "''",   "#",     "#m",      "$",    "$HOME", "${",        "}",      "-a",
                                           "-bc",  "-o",    "ro,",     "\\",   "\r",    "pip://h/t", "/srv/x", "a",
                                           "/b",   "=",     "\"",      "\\\n", "--",    " a b\n"};
  files_["dir/a"] = "bind x y\n";
  std::mt19937 random(1);
  size_t parsed = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string text = i % 2 == 0 ? "" : "bind ";
    for (size_t n = random() % 12; n > 0; --n)
      text += random() % 16 == 0 ? std::string(1, static_cast<char>(random())) : pieces[random() % pieces.size()];
    const auto commands = parse(text);
    if (!commands) {
      ASSERT_FALSE(commands.error().trouble.reason.empty()) << text;
      ASSERT_GT(commands.error().at.line, 0U) << text;
      continue;
    }
    std::string printed;
    for (const Command& command : *commands) printed += command.text() + "\n";
    // A first operand such as "-x" prints without its "--"; such lines are left out.
    if (printed.contains(" -") && text.contains("--")) continue;
    parsed += commands->size();
    ASSERT_EQ(lines(printed), printed) << text;
  }
  EXPECT_GT(parsed, 500U);
}

}  // namespace
}  // namespace osp::ns::test
