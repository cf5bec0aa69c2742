#include "libosp/native/boot_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string_view>

namespace osp::native {
namespace {

using namespace std::string_view_literals;
using testing::HasSubstr;
using Kind = host::NamespaceOption::Kind;

BootRecord full() {
  BootRecord record;
  record.program = "/bin/sh";
  record.arguments = {"sh", "-c", "echo $A = \n", ""};
  record.environment = {"A=1=2", "B="};
  record.directory = "/tmp";
  record.names = {{Kind::bind, "/a=/b"},
                  {Kind::file, "\nbind /x /y\n", "work.ns"},
                  {Kind::mount, "tcp:h=/m"},
                  {Kind::file, "", "empty.ns"}};
  record.trace = "";
  record.hostname = "here";
  record.umask = 077;
  record.uid = 1000, record.gid = UINT32_MAX;
  record.terminal = {true, false, true};
  record.rows = 50, record.columns = 132;
  return record;
}

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What decode() says of a record whose text is the good one with `entry` behind it.
load::Refusal refusal_with(std::string_view entry) {
  std::string text("osp-boot=1\0program=x\0argument=x\0"sv);
  text.append(entry);
  const auto record = BootRecord::decode(bytes_of(text));
  return record ? load::Refusal{Error(0), "accepted"} : record.error();
}

TEST(BootRecord, EverythingComesBack) {
  const auto bytes = full().encode();
  ASSERT_TRUE(bytes);
  const auto record = BootRecord::decode(*bytes);
  ASSERT_TRUE(record) << record.error().reason;
  EXPECT_EQ(*record, full());
}

TEST(BootRecord, WhatIsNotSaidIsTheDefault) {
  const auto record = BootRecord::decode(bytes_of("osp-boot=1\0program=x\0argument=x\0"sv));
  ASSERT_TRUE(record) << record.error().reason;
  EXPECT_EQ(*record, (BootRecord{.program = "x", .arguments = {"x"}, .environment = {}, .names = {}, .trace = {}}));
}

TEST(BootRecord, TheFormIsKeptForOtherBuildsOfThisVersion) {
  BootRecord record{.program = "p", .arguments = {"p"}, .environment = {"A=b"}, .names = {}, .trace = {}};
  record.terminal[1] = true;
  record.names = {{Kind::file, "t", "n"}};
  const auto bytes = record.encode();
  ASSERT_TRUE(bytes);
  std::string text(text_of(*bytes));
  for (char& c : text)
    if (c == '\0') c = '|';
  EXPECT_EQ(text,
            "osp-boot=1|program=p|argument=p|variable=A=b|directory=/|ns-file=n|ns-text=t|hostname=osprey|umask=22|"
            "uid=0|gid=0|terminal=1|rows=24|columns=80|");
}

TEST(BootRecord, ATerminalIsOneForReadingAndWriting) {
  BootRecord record;
  record.terminal = {true, false, true};
  EXPECT_FALSE(record.has_terminal());
  record.terminal = {true, true, false};
  EXPECT_TRUE(record.has_terminal());
}

TEST(BootRecord, OtherThingsAreNoRecord) {
  for (const std::string_view text : {""sv, "\0"sv, "osp-boot"sv, "program=x\0"sv, "osp-boots=1\0"sv}) {
    const auto record = BootRecord::decode(bytes_of(text));
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().error.code, EBADMSG);
    EXPECT_THAT(record.error().reason, HasSubstr("no boot record"));
  }
}

TEST(BootRecord, AnotherVersionIsRefusedAsOne) {
  const auto record = BootRecord::decode(bytes_of("osp-boot=2\0what=ever\0"sv));
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().error.code, EPROTONOSUPPORT);
  EXPECT_THAT(record.error().reason, HasSubstr("version 2"));
}

TEST(BootRecord, EachFaultNamesItsKey) {
  EXPECT_THAT(refusal_with("colour=red\0"sv).reason, HasSubstr("colour: no such key"));
  EXPECT_THAT(refusal_with("rows\0"sv).reason, HasSubstr("rows: has no '='"));
  EXPECT_THAT(refusal_with("rows=\0"sv).reason, HasSubstr("rows: is no number"));
  EXPECT_THAT(refusal_with("rows=2x\0"sv).reason, HasSubstr("rows: is no number"));
  EXPECT_THAT(refusal_with("rows=-1\0"sv).reason, HasSubstr("rows: is no number"));
  EXPECT_THAT(refusal_with("columns=65536\0"sv).reason, HasSubstr("columns: is out of range"));
  EXPECT_THAT(refusal_with("umask=8\0"sv).reason, HasSubstr("umask: is no number"));
  EXPECT_THAT(refusal_with("umask=1000\0"sv).reason, HasSubstr("umask: is out of range"));
  EXPECT_THAT(refusal_with("uid=4294967296\0"sv).reason, HasSubstr("uid: is no number"));
  EXPECT_THAT(refusal_with("terminal=3\0"sv).reason, HasSubstr("terminal: is out of range"));
  EXPECT_THAT(refusal_with("variable=A\0"sv).reason, HasSubstr("variable: has no '='"));
  EXPECT_THAT(refusal_with("directory=tmp\0"sv).reason, HasSubstr("directory: is not absolute"));
  EXPECT_THAT(refusal_with("ns-text=bind a b\0"sv).reason, HasSubstr("ns-text: there is no file"));
  EXPECT_THAT(refusal_with("rows=3").reason, HasSubstr("cut off"));
  EXPECT_EQ(refusal_with("rows=3").error.code, EBADMSG);
}

TEST(BootRecord, AProgramAndItsNameAreNeeded) {
  const auto none = BootRecord::decode(bytes_of("osp-boot=1\0argument=x\0"sv));
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().reason, HasSubstr("program: is missing"));
  const auto nameless = BootRecord::decode(bytes_of("osp-boot=1\0program=x\0"sv));
  ASSERT_FALSE(nameless);
  EXPECT_THAT(nameless.error().reason, HasSubstr("argument: is missing"));
}

TEST(BootRecord, WhatCouldNotBeReadIsNotWritten) {
  BootRecord record = full();
  record.arguments.emplace_back("a\0b", 3);
  auto bytes = record.encode();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().error.code, EINVAL);
  EXPECT_THAT(bytes.error().reason, HasSubstr("argument: holds a NUL"));
  record = full();
  record.columns = 70000;
  bytes = record.encode();
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().error.code, EINVAL);
}

}  // namespace
}  // namespace osp::native
