// What a SessionClient sends, and when: against a server that answers as the test says.
#include "pip/session_client.h"

#include <gtest/gtest.h>

namespace osp::pip {
namespace {

constexpr size_t megabyte = 1U << 20;

struct Client : testing::Test {
  Client() {
    session.connected(sent);
    std::string hello;
    const std::string text = option_text(options);
    EXPECT_TRUE(encode_packet(Rproto{.msize = msize, .nmsgs = 64, .options = text}, options, msize, hello));
    EXPECT_TRUE(encode_packet(Rsession{.ssid = 1, .token = "token", .window = 1024}, options, msize, hello));
    EXPECT_TRUE(session.receive(hello, sent));
    sent.clear();
  }
  uint64_t write(size_t size, uint16_t flags = 0) {
    const std::string bytes(size, 'x');
    return session.submit({Twrite{.fid = 1, .offset = 0, .dat = bytes, .attr = ""}}, flags, sent).value_or(0);
  }
  void answer(uint64_t tag) {
    std::string bytes;
    EXPECT_TRUE(encode_group(Rgroup{.csid = 1, .tag = tag}, {Rwrite{}}, options, msize, bytes));
    EXPECT_TRUE(session.receive(bytes, sent));
  }
  static constexpr OptionSet options = OptionSet::all();
  static constexpr uint32_t msize = 2 * megabyte;
  SessionClient session{{.msize = msize}};
  std::string sent;
};

TEST_F(Client, SendsNoMoreThanAServerMustTake) {
  for (int i = 0; i < 100; ++i) EXPECT_GT(write(megabyte), 0U);
  EXPECT_LE(sent.size(), 32 * megabyte);
  EXPECT_GT(sent.size(), 30 * megabyte);
  sent.clear();
  EXPECT_GT(write(10), 0U);
  EXPECT_EQ(sent.size(), 0U) << "it comes after those before it";
  answer(1);
  EXPECT_GT(sent.size(), megabyte) << "there is room again";
  EXPECT_LT(sent.size(), 2 * megabyte);
}

TEST_F(Client, WhatOvertakesDoesNotWaitForRoom) {
  for (int i = 0; i < 40; ++i) write(megabyte);
  sent.clear();
  const uint64_t tag = write(10, flag_overtakes);
  EXPECT_GT(sent.size(), 10U);
  EXPECT_LT(sent.size(), 100U);
  sent.clear();
  answer(tag);
  EXPECT_EQ(sent.size(), 0U);
  for (uint64_t i = 1; i <= 40; ++i) answer(i);
  EXPECT_FALSE(session.has_unanswered());
}

TEST_F(Client, OverANewConnectionAllIsSentAgainOnce) {
  for (int i = 0; i < 3; ++i) write(1000);
  const size_t before = sent.size();
  sent.clear();
  session.connected(sent);
  EXPECT_GE(sent.size(), before);
  EXPECT_LT(sent.size(), before + 500) << "with a hello";
}

}  // namespace
}  // namespace osp::pip
