#include "tools/mount/wishes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace osp::fuse {
namespace {

std::string hex(std::initializer_list<int> signals) {
  unsigned long long mask = 0;
  for (const int one : signals) mask |= 1ULL << static_cast<unsigned>(one - 1);
  char text[17];
  snprintf(text, sizeof text, "%016llx", mask);
  return text;
}

struct Signals {
  std::initializer_list<int> own = {}, shared = {}, blocked = {}, ignored = {}, caught = {};
};

bool wants(const Signals& s) {
  return wants_to_leave("Name:\tsh\nState:\tD\nSigQ:\t1/100\nSigPnd:\t" + hex(s.own) + "\nShdPnd:\t" + hex(s.shared) +
                        "\nSigBlk:\t" + hex(s.blocked) + "\nSigIgn:\t" + hex(s.ignored) + "\nSigCgt:\t" +
                        hex(s.caught) + "\nCapInh:\t0\n");
}

TEST(WishesTest, NothingPendingAsksForNothing) { EXPECT_FALSE(wants({})); }

TEST(WishesTest, WhatEndsAProcessEndsItsCall) {
  EXPECT_TRUE(wants({.shared = {SIGINT}}));
  EXPECT_TRUE(wants({.own = {SIGTERM}}));
  EXPECT_TRUE(wants({.shared = {SIGKILL}}));
  EXPECT_TRUE(wants({.shared = {SIGALRM}}));
}

TEST(WishesTest, AHandlerMayWantTheCallToEnd) { EXPECT_TRUE(wants({.shared = {SIGINT}, .caught = {SIGINT}})); }

TEST(WishesTest, WhatOnlyTellsDoesNot) {
  EXPECT_FALSE(wants({.shared = {SIGALRM}, .caught = {SIGALRM}}));
  EXPECT_FALSE(wants({.shared = {SIGCHLD}, .caught = {SIGCHLD}}));
  EXPECT_FALSE(wants({.own = {SIGURG}, .caught = {SIGURG}}));
  EXPECT_FALSE(wants({.shared = {SIGCHLD, SIGWINCH}}));
}

TEST(WishesTest, WhatOnlyStopsDoesNot) {
  EXPECT_FALSE(wants({.own = {SIGSTOP}}));
  EXPECT_FALSE(wants({.shared = {SIGTSTP, SIGTTIN, SIGTTOU}}));
  EXPECT_TRUE(wants({.shared = {SIGTSTP}, .caught = {SIGTSTP}}));
  EXPECT_TRUE(wants({.shared = {SIGSTOP, SIGKILL}}));
}

TEST(WishesTest, BlockedAndIgnoredAreNotHeard) {
  EXPECT_FALSE(wants({.shared = {SIGINT}, .blocked = {SIGINT}, .caught = {SIGINT}}));
  EXPECT_FALSE(wants({.shared = {SIGTERM}, .ignored = {SIGTERM}}));
}

TEST(WishesTest, ARunningThreadIsAsked) {
  EXPECT_FALSE(wants_to_leave(getpid()));
  EXPECT_TRUE(wants_to_leave(pid_t{-1}));
}

}  // namespace
}  // namespace osp::fuse
