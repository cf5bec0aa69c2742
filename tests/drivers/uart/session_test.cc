#include "drivers/uart/session.h"

#include <gtest/gtest.h>

#include "pip/packing.h"
#include "tests/drivers/uart/fake_chip.h"

namespace {

using namespace osp;
using namespace osp::uart;

constexpr uint32_t root = 1, room = 4096;

// A driver with one client, whose answers come as text.
class Driver : public testing::Test {
 protected:
  uint64_t ask(const std::vector<pip::Message>& messages, uint16_t flags = 0) {
    std::string packet;
    const pip::Tgroup head{.ssid = 1, .tag = ++tag_, .acked = 0, .flags = flags, .count = 0};
    EXPECT_TRUE(pip::encode_group(head, messages, pip::OptionSet::all(), 1 << 20, packet));
    EXPECT_TRUE(session_.begin(packet.substr(4), room, tag_));
    go_on();
    return tag_;
  }
  void go_on() {
    Round round;
    tree_.begin_round();
    session_.advance(tree_, round, [this](uint64_t ticket, std::string_view body) {
      EXPECT_LE(body.size(), room);
      const auto packet = pip::decode_body(body, pip::OptionSet::all(), 16);
      ASSERT_TRUE(packet);
      std::string text;
      for (const pip::Message& message : packet->messages) text += pip::print(message) + '\n';
      answers_[ticket] = text;
    });
    tree_.settle();
  }
  // What is answered; "": nothing yet.
  std::string answer(uint64_t tag) { return answers_[tag]; }
  void open(uint32_t fid, std::string_view path, std::string_view mode = "rw") {
    const uint64_t tag = ask({pip::Topen{.fid = root, .nfid = fid, .path = path, .mode = mode}});
    ASSERT_TRUE(answer(tag).starts_with("Ropen")) << answer(tag);
  }
  void attach() { ask({pip::Tattach{.fid = root, .afid = pip::no_fid, .uname = {}, .aname = {}}}); }
  void come(FakeChip& chip, Port& port, const std::string& text) {
    chip.coming += text;
    chip.bring();
    chip.rest();
    port.serve();
  }
  static pip::Tread read(uint32_t fid, uint32_t count = 100) {
    return {.fid = fid, .offset = 0, .count = count, .attrs = {}};
  }
  static pip::Twrite write(uint32_t fid, std::string_view data) {
    return {.fid = fid, .offset = 0, .dat = data, .attr = {}};
  }

  FakeChip chip_[2];
  Port port_[2] = {Port(chip_[0]), Port(chip_[1])};
  Port* ports_[2] = {&port_[0], &port_[1]};
  Tree tree_{ports_};
  Session session_;
  std::map<uint64_t, std::string> answers_;
  uint64_t tag_ = 0;
};

TEST_F(Driver, OneOpenWalksTheWholePath) {
  attach();
  open(2, "dev/uart/eia0");
  open(3, "dev/uart", "r");
  const auto failed = [&](std::string_view path, std::string_view mode, std::string_view number) {
    const uint64_t tag = ask({pip::Topen{.fid = root, .nfid = 9, .path = path, .mode = mode}});
    EXPECT_NE(answer(tag).find(std::string("Errno ") + std::string(number)), std::string::npos) << answer(tag);
  };
  failed("dev/uart/eia2", "r", "2 ");
  failed("dev/uart", "w", "21 ");
  failed("dev/uart/eia0", "rd", "20 ");
  failed("dev/../dev", "r", "22 ");
}

TEST_F(Driver, AReadWaitsForAByte) {
  attach();
  open(2, "dev/uart/eia0");
  const uint64_t tag = ask({read(2)});
  EXPECT_EQ(answer(tag), "");
  come(chip_[0], port_[0], "hello");
  go_on();
  EXPECT_EQ(answer(tag), "Rread Dat \"hello\"\n");
}

TEST_F(Driver, ReadsOfOnePortAreServedInTheirOrderAndOthersDoNotWait) {
  attach();
  open(2, "dev/uart/eia0");
  open(3, "dev/uart/eia1");
  const uint64_t first = ask({read(2, 3)}), second = ask({read(2)}), other = ask({read(3)});
  come(chip_[1], port_[1], "x");
  go_on();
  EXPECT_EQ(answer(first) + answer(second), "");
  EXPECT_EQ(answer(other), "Rread Dat \"x\"\n");
  come(chip_[0], port_[0], "abcdef");
  go_on();
  EXPECT_EQ(answer(first), "Rread Dat \"abc\"\n");
  EXPECT_EQ(answer(second), "Rread Dat \"def\"\n");
}

TEST_F(Driver, AWriteIsAnsweredWhenTheLineHasTakenIt) {
  attach();
  open(2, "dev/uart/eia0");
  chip_[0].is_blocked = true;
  const std::string data(40, 'a');
  const uint64_t first = ask({write(2, data)}), second = ask({write(2, "b")}), empty = ask({pip::Tcommit{.fid = 2}});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(answer(first) + answer(second) + answer(empty), "");
    chip_[0].carry();
    port_[0].serve();
    go_on();
  }
  EXPECT_TRUE(answer(first).starts_with("Rwrite Count 40"));
  EXPECT_EQ(answer(second) + answer(empty), "");
  chip_[0].carry();
  go_on();
  EXPECT_TRUE(answer(second).starts_with("Rwrite Count 1"));
  EXPECT_EQ(answer(empty), "");
  EXPECT_TRUE(session_.waits_for_the_line());
  chip_[0].carry();
  go_on();
  EXPECT_TRUE(answer(empty).starts_with("Rcommit"));
  EXPECT_EQ(chip_[0].gone, data + "b");
}

TEST_F(Driver, AFlushEndsAGroupAndComesAfterIt) {
  attach();
  open(2, "dev/uart/eia0");
  const uint64_t waiting = ask({read(2)});
  const uint64_t flush = ask({pip::Tflush{.tag = waiting}});
  EXPECT_NE(answer(waiting).find("Errno 4 "), std::string::npos) << answer(waiting);
  EXPECT_TRUE(answer(flush).starts_with("Rflush"));
  EXPECT_TRUE(answer(ask({pip::Tflush{.tag = 999}})).starts_with("Rflush"));
}

TEST_F(Driver, AnOrderedGroupWaitsForAllBeforeIt) {
  attach();
  open(2, "dev/uart/eia0");
  const uint64_t waiting = ask({read(2)}), ordered = ask({pip::Tping{.dat = "p"}}, pip::flag_ordered);
  EXPECT_EQ(answer(ordered), "");
  come(chip_[0], port_[0], "x");
  go_on();
  EXPECT_NE(answer(waiting), "");
  EXPECT_EQ(answer(ordered), "Rping Dat \"p\"\n");
}

TEST_F(Driver, TheControlFileSetsAndShows) {
  attach();
  open(2, "dev/uart/eia1ctl");
  EXPECT_TRUE(answer(ask({write(2, "b9600 pe")})).starts_with("Rwrite Count 8"));
  EXPECT_EQ(chip_[1].divisor, 12);
  EXPECT_NE(answer(ask({read(2, 200)})).find("b9600 d1 l8 m0 pe"), std::string::npos);
  EXPECT_NE(answer(ask({write(2, "b9600 what")})).find("Errno 22 "), std::string::npos);
}

TEST_F(Driver, APortHasOneReader) {
  attach();
  open(2, "dev/uart/eia0");
  open(3, "dev/uart/eia0", "w");
  open(4, "dev/uart/eia1", "r");
  const pip::Topen again{.fid = root, .nfid = 5, .path = "dev/uart/eia0", .mode = "r"};
  EXPECT_NE(answer(ask({again})).find("Errno 16 "), std::string::npos);
  EXPECT_TRUE(answer(ask({pip::Tclunk{.fid = 2}})).starts_with("Rclunk"));
  EXPECT_TRUE(answer(ask({again})).starts_with("Ropen"));
}

TEST_F(Driver, OnlyWhatIsThereIsCreated) {
  attach();
  const auto create = [](uint32_t fid, std::string_view name) {
    return pip::Tcreate{.fid = root, .name = name, .perm = 0666, .mode = "w", .nfid = fid, .target = {}};
  };
  EXPECT_TRUE(answer(ask({create(2, "dev/uart/eia1ctl")})).starts_with("Rcreate"));
  EXPECT_TRUE(answer(ask({write(2, "b9600")})).starts_with("Rwrite Count 5"));
  EXPECT_EQ(chip_[1].divisor, 12);
  EXPECT_NE(answer(ask({create(3, "dev/uart/new")})).find("Errno 1 "), std::string::npos);
}

TEST_F(Driver, ADirectoryListsItsFiles) {
  attach();
  open(2, "dev/uart", "r");
  const auto list = tree_.entries(*tree_.find("dev/uart"));
  ASSERT_EQ(list.size(), 4U);
  EXPECT_EQ(list[0].name + " " + list[3].name, "eia0 eia1ctl");
  EXPECT_EQ(tree_.entries(*tree_.find("")).at(0).name, "dev");
  EXPECT_TRUE(answer(ask({read(2, 1000)})).starts_with("Rread"));
  EXPECT_NE(answer(ask({read(2, 10)})).find("Errno 90 "), std::string::npos);
}

TEST_F(Driver, WhatAClientMayNotDoIsAnError) {
  attach();
  open(2, "dev/uart/eia0", "r");
  const auto expect_errno = [&](const pip::Message& message, int number) {
    const std::string text = answer(ask({message}));
    EXPECT_NE(text.find("Errno " + std::to_string(number) + " "), std::string::npos) << text;
  };
  expect_errno(write(2, "x"), EBADF);
  expect_errno(read(77), EBADF);
  expect_errno(pip::Tclunk{.fid = 77}, EBADF);
  expect_errno(pip::Tremove{.fid = 2}, EPERM);
  expect_errno(pip::Tcommit{.fid = root}, EINVAL);
  expect_errno(pip::Topen{.fid = root, .nfid = 2, .path = "", .mode = "r"}, EBUSY);
  EXPECT_TRUE(answer(ask({pip::Tclunk{.fid = 2}})).starts_with("Rclunk"));
}

TEST_F(Driver, AnAnswerFitsItsRoom) {
  attach();
  open(2, "dev/uart/eia0");
  for (int i = 0; i < 1000; ++i) come(chip_[0], port_[0], "0123456789");
  const uint64_t tag = ask({read(2, 100000), read(2, 100000)});
  EXPECT_NE(answer(tag), "");
}

TEST_F(Driver, NonsenseAndTooMuchAreRefused) {
  EXPECT_FALSE(session_.begin("", room, 1));
  EXPECT_FALSE(session_.begin("nonsense", room, 1));
  attach();
  open(2, "dev/uart/eia0");
  for (size_t i = 0; i < Session::most_groups; ++i) ask({read(2)});
  std::string packet;
  ASSERT_TRUE(pip::encode_group(pip::Tgroup{}, {read(2)}, pip::OptionSet::all(), 1 << 20, packet));
  EXPECT_FALSE(session_.begin(packet.substr(4), room, 1));
}

}  // namespace
