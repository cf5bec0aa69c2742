// What a connection is made of, each alone.
#include <gtest/gtest.h>

#include <random>

#include "pip/udp/cubic.h"
#include "pip/udp/mtu_search.h"
#include "pip/udp/pacer.h"
#include "pip/udp/packet_keys.h"
#include "pip/udp/receive_stream.h"
#include "pip/udp/send_stream.h"

namespace osp::pip::udp {
namespace {

TEST(AckRanges, KeepsWhatHasComeAsRanges) {
  AckRanges ranges;
  for (const uint64_t number : {5, 7, 6, 1, 0, 9}) EXPECT_TRUE(ranges.add(number));
  EXPECT_FALSE(ranges.add(6));
  EXPECT_EQ(ranges.ranges(), (std::vector<Range>{{9, 9}, {5, 7}, {0, 1}}));
  EXPECT_TRUE(ranges.contains(1));
  EXPECT_FALSE(ranges.contains(8));
}

TEST(AckRanges, ForgetsTheOldestAndThenTakesNothingOfThatAge) {
  AckRanges ranges;
  for (uint64_t i = 0; i < 2 * AckRanges::most_ranges; ++i) EXPECT_TRUE(ranges.add(2 * i));
  EXPECT_EQ(ranges.ranges().size(), AckRanges::most_ranges);
  EXPECT_FALSE(ranges.add(1));
  EXPECT_FALSE(ranges.add(2 * AckRanges::most_ranges - 3));
  EXPECT_TRUE(ranges.add(4 * AckRanges::most_ranges - 3));
}

TEST(AckRanges, IsASetOfNumbers) {
  std::mt19937 random(1);
  AckRanges ranges;
  std::vector<bool> seen(60);
  for (int i = 0; i < 400; ++i) {
    const size_t number = random() % seen.size();
    EXPECT_EQ(ranges.add(number), !seen[number]);
    seen[number] = true;
  }
}

TEST(RttTest, FollowsRfc9002) {
  Rtt rtt;
  rtt.sample(50'000, 0);
  EXPECT_EQ(rtt.smoothed_us(), 50'000);
  EXPECT_EQ(rtt.probe_timeout_us(0), 50'000 + 4 * 25'000 + Rtt::most_ack_delay_us);
  rtt.sample(66'000, 8'000);  // 58 ms without the delay
  EXPECT_EQ(rtt.smoothed_us(), 51'000);
  EXPECT_EQ(rtt.least_us(), 50'000);
}

TEST(RttTest, AProbeGoesAtLeastOnceASecond) {
  Rtt rtt;
  EXPECT_LE(rtt.probe_timeout_us(0), 1'000'000);
  for (unsigned count = 0; count < 40; ++count) EXPECT_LE(rtt.probe_timeout_us(count), 1'000'000);
  rtt.sample(50'000, 0);
  EXPECT_EQ(rtt.probe_timeout_us(20), 500'000);
  for (int i = 0; i < 20; ++i) rtt.sample(5'000'000, 0);
  EXPECT_EQ(rtt.probe_timeout_us(3), 1'000'000);
}

TEST(SentPacketsTest, OneThatIsThreeOlderThanOneThatArrivedIsLost) {
  SentPackets sent;
  Rtt rtt;
  for (int i = 0; i < 5; ++i) sent.sent({.sent_us = i, .size = 100, .piece = {static_cast<uint64_t>(i) * 100, 100}});
  const auto outcome = sent.acknowledged({{4, 4}});
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->has_sample);
  ASSERT_EQ(outcome->acked.size(), 1U);
  const auto lost = sent.take_lost(10, rtt);
  ASSERT_EQ(lost.size(), 2U);
  EXPECT_EQ(lost[1].number, 1U);
  EXPECT_EQ(sent.bytes_in_flight(), 200U);
  EXPECT_TRUE(sent.take_lost(10, rtt).empty());
  EXPECT_EQ(sent.loss_time_us(rtt), 2 + rtt.loss_delay_us());
  EXPECT_EQ(sent.take_lost(3 + rtt.loss_delay_us(), rtt).size(), 2U);
  EXPECT_EQ(sent.last_in_flight_us(), -1);
  EXPECT_EQ(sent.count(), 0U);
}

TEST(SentPacketsTest, NobodyAcknowledgesWhatWasNotSent) {
  SentPackets sent;
  sent.sent({.sent_us = 0, .size = 100});
  EXPECT_EQ(sent.acknowledged({{0, 1}}).error().code, EBADMSG);
  EXPECT_EQ(sent.acknowledged({}).error().code, EBADMSG);
  EXPECT_EQ(sent.bytes_in_flight(), 100U);
}

TEST(CubicTest, DoublesARoundUntilSomethingIsLost) {
  Cubic cubic(1200);
  const size_t first = cubic.window();
  EXPECT_EQ(first, 12000U);
  cubic.acknowledged(first, 0, 50'000, 50'000, true);
  EXPECT_EQ(cubic.window(), 2 * first);
  cubic.acknowledged(first, 0, 50'000, 50'000, false);  // it was not the window that held it back
  EXPECT_EQ(cubic.window(), 2 * first);
  cubic.lost(60'000, 100'000);
  EXPECT_EQ(cubic.window(), 16800U);
  cubic.lost(70'000, 110'000);  // sent before: the same event
  EXPECT_EQ(cubic.window(), 16800U);
}

TEST(CubicTest, ComesBackToWhereItWasAfterK) {
  Cubic cubic(1200);
  for (int i = 0; i < 6; ++i) cubic.acknowledged(cubic.window(), 0, 1, 50'000, true);
  const size_t most = cubic.window();
  cubic.lost(2, 2);
  int64_t now_us = 2;
  const double period_s = std::cbrt(0.3 * static_cast<double>(most) / 1200 / 0.4);
  for (; static_cast<double>(now_us) < period_s * 1e6; now_us += 50'000)
    cubic.acknowledged(cubic.window(), now_us, now_us, 50'000, true);
  EXPECT_NEAR(static_cast<double>(cubic.window()), static_cast<double>(most), 0.03 * static_cast<double>(most));
  for (const int64_t end_us = 2 * now_us; now_us < end_us; now_us += 50'000)
    cubic.acknowledged(cubic.window(), now_us, now_us, 50'000, true);
  EXPECT_GT(cubic.window(), most);
}

TEST(PacerTest, SpreadsAWindowOverItsRoundTrip) {
  Pacer pacer;
  int64_t now_us = 1'000'000;
  size_t sent = 0;
  while (now_us < 1'100'000) {
    const int64_t ready_us = pacer.ready_us(now_us, 1'000'000, 100'000, 1200);
    if (ready_us > now_us) {
      now_us = ready_us;
      continue;
    }
    pacer.sent(1200);
    sent += 1200;
  }
  EXPECT_NEAR(static_cast<double>(sent), 1.25e6, 0.1e6);
}

TEST(MtuSearchTest, ClimbsWhatArrivesAndRestsAtWhatDoesNot) {
  MtuSearch search(1500);
  EXPECT_EQ(search.size(), base_datagram);
  while (const size_t wanted = search.wanted(0)) {
    search.probing();
    EXPECT_EQ(search.wanted(0), 0U);
    wanted <= 1452 ? search.acknowledged(wanted) : search.probe_lost(0);
  }
  EXPECT_EQ(search.size(), 1452U);
  EXPECT_EQ(search.wanted(700'000'000), 1472U);
  search.reset(1300);
  EXPECT_EQ(search.size(), base_datagram);
  EXPECT_EQ(search.wanted(0), 1280U);
}

TEST(PacketKeys, KeysChangeWithTheNumbersAndNothingOldIsTaken) {
  const noise::Cipher key(noise::Key{7});
  PacketSealer sealer(key);
  PacketOpener opener(key);
  std::string old;
  sealer.seal({.id = 1, .number = 3}, "hello", old);
  for (const uint64_t number : {uint64_t{4}, datagrams_a_key + 1, 2 * datagrams_a_key + 5}) {
    std::string datagram, plain;
    const Head head{.id = 1, .number = number};
    sealer.seal(head, "hello", datagram);
    EXPECT_TRUE(opener.open(head, datagram, plain));
    EXPECT_EQ(plain, "hello");
    datagram[head_size] = static_cast<char>(datagram[head_size] ^ 1);
    EXPECT_EQ(opener.open(head, datagram, plain).error().code, EBADMSG);
  }
  std::string plain;
  EXPECT_EQ(opener.open({.id = 1, .number = 3}, old, plain).error().code, EBADMSG);
}

TEST(PacketTest, FramesComeOutAsTheyWentIn) {
  std::string bytes;
  put_frame({.type = FrameType::ack, .delay_us = 9, .ranges = {{7, 9}, {2, 3}}}, bytes);
  put_frame({.type = FrameType::data, .value = 77, .bytes = "abc"}, bytes);
  bytes.append(3, '\0');
  put_frame({.type = FrameType::window, .value = 1U << 20}, bytes);
  Reader in(bytes);
  auto frame = next_frame(in);
  EXPECT_EQ((*frame)->ranges, (std::vector<Range>{{7, 9}, {2, 3}}));
  frame = next_frame(in);
  EXPECT_EQ((*frame)->bytes, "abc");
  EXPECT_EQ((*frame)->value, 77U);
  EXPECT_EQ((*next_frame(in))->type, FrameType::window);
  EXPECT_FALSE((*next_frame(in)).has_value());
}

TEST(PacketTest, TheBytesAreThoseOfTheDocument) {
  std::string bytes = head_bytes({.kind = Kind::sealed, .id = 0x0102030405060708, .number = 9});
  put_frame({.type = FrameType::data, .value = 5, .bytes = "x"}, bytes);
  put_frame({.type = FrameType::ack, .delay_us = 1, .ranges = {{2, 3}}}, bytes);
  EXPECT_EQ(bytes, std::string("\xd2\1\2\3\4\5\6\7\10\0\0\0\0\0\0\0\11"
                               "\3\0\0\0\0\0\0\0\5\0\1x"
                               "\2\0\0\0\1\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3",
                               17 + 12 + 22));
}

TEST(PacketTest, WhatIsNoFrameIsRefused) {
  for (const std::string& bad :
       {std::string("\2\0\0\0\0\0", 6), std::string("\2\0\0\0\0\1", 6), std::string("\3\0", 2), std::string("\77")}) {
    Reader in(bad);
    EXPECT_EQ(next_frame(in).error().code, EBADMSG);
  }
}

TEST(Streams, WhatIsLostComesAgainAndAllComesInOrder) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    SendStream out;
    ReceiveStream in(3000, 64);
    std::string sent, received;
    std::vector<Piece> flying;
    for (int i = 0; i < 3000 && (i < 1000 || received.size() < sent.size()); ++i) {
      if (i < 1000 && random() % 4 == 0) {
        const std::string bytes(random() % 200, static_cast<char>(random()));
        out.write(bytes);
        sent += bytes;
      }
      if (const auto piece = out.next(1 + random() % 150, in.limit())) flying.push_back(*piece);
      if (flying.empty()) continue;
      std::swap(flying[random() % flying.size()], flying.back());
      const Piece piece = flying.back();
      flying.pop_back();
      const std::string bytes(out.bytes(piece));
      const bool arrives = random() % 3 != 0 && in.add(piece.offset, bytes).has_value();
      if (arrives && random() % 4 != 0) {
        out.acknowledged(piece);
        if (random() % 4 == 0) out.lost(piece);  // it was not
      } else {
        out.lost(piece);
      }
      if (random() % 2 == 0) received += in.take();
    }
    received += in.take();
    EXPECT_EQ(received, sent) << "seed " << seed;
  }
}

TEST(Streams, NothingIsKeptBeyondTheWindow) {
  ReceiveStream in(100, 2);
  EXPECT_EQ(in.add(90, std::string(11, 'x')).error().code, EMSGSIZE);
  EXPECT_EQ(in.add(UINT64_MAX, "x").error().code, EMSGSIZE);
  EXPECT_TRUE(in.add(10, "x"));
  EXPECT_TRUE(in.add(20, std::string(79, 'x')));
  EXPECT_EQ(in.add(12, "x").error().code, ENOBUFS);
  EXPECT_TRUE(in.add(0, std::string(20, 'x')));
  EXPECT_EQ(in.take().size(), 99U);
  EXPECT_EQ(in.limit(), 199U);
}

}  // namespace
}  // namespace osp::pip::udp
