#include "pip/secure/agent.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace osp::pip {
namespace {

constexpr int64_t now_s = 1'800'000'000;

std::vector<DelegationChain> chains_of(std::string_view answer) {
  std::vector<DelegationChain> chains;
  for (std::string_view rest = answer; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    auto chain = DelegationChain::parse(line);
    EXPECT_TRUE(chain) << line;
    if (chain) chains.push_back(std::move(*chain));
  }
  return chains;
}

TEST(AgentTest, SignsForItsUsersRightsAndForThoseItWasGiven) {
  const Identity own = Identity::random(), giver = Identity::random(), asks = Identity::random();
  const auto given = [&](const char* path, int64_t until_s, uint8_t more) {
    return *DelegationChain::begin(
        giver, {.to = own.key(), .path = path, .may_write = true, .until_s = until_s, .more = more});
  };
  const std::vector<DelegationChain> held = {given("a", now_s + 5, 1), given("not to be passed on", now_s + 5, 0),
                                             given("other", now_s + 5, 1)};
  const AgentTerms terms{.grant = {.path = "a", .may_write = false}, .life_s = 100};
  const auto chains = chains_of(agent_answer(own, held, terms, "delegate " + asks.key().text() + "\n", now_s));
  ASSERT_EQ(chains.size(), 2U);
  EXPECT_EQ(chains[0].root(), own.key());
  EXPECT_EQ(chains[1].root(), giver.key());
  for (const DelegationChain& chain : chains) {
    EXPECT_EQ(chain.holder(), asks.key());
    EXPECT_EQ(*chain.grant(own.key(), now_s, {}), (Grant{.path = "a", .may_write = false}));
    EXPECT_EQ(chain.links().back().more, 0);
  }
  EXPECT_EQ(chains[0].links().back().until_s, now_s + 100);
  EXPECT_EQ(chains[1].links().back().until_s, now_s + 5);
}

TEST(AgentTest, SaysNo) {
  const Identity own = Identity::random();
  for (const char* request : {"", "delegate", "delegate x\n", "sign everything\n"})
    EXPECT_TRUE(agent_answer(own, {}, {}, request, now_s).starts_with("error ")) << request;
}

// An agent that says what the test wants.
struct Asked {
  std::string folder = testing::TempDir() + "osp-agent-XXXXXX";
  std::string path;
  int listener = -1;
  std::thread thread;

  explicit Asked(std::string answer, bool hangs_up = true) {
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    path = folder + "/agent";
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    thread = std::thread([this, answer, hangs_up] {
      const int fd = accept(listener, nullptr, nullptr);
      char request[256];
      EXPECT_GT(recv(fd, request, sizeof request, 0), 0);
      EXPECT_EQ(send(fd, answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
      if (!hangs_up) (void)recv(fd, request, sizeof request, 0);  // until the other does
      close(fd);
    });
  }
  ~Asked() {
    thread.join();
    close(listener);
    unlink(path.c_str());
    rmdir(folder.c_str());
  }
};

TEST(AgentTest, AnswersAreChecked) {
  const Identity own = Identity::random(), asks = Identity::random();
  const std::string good = DelegationChain::begin(own, {.to = asks.key(), .until_s = 1})->text() + "\n";
  const std::string others = DelegationChain::begin(own, {.to = own.key(), .until_s = 1})->text() + "\n";
  const auto ask = [&](const Asked& agent) { return ask_agent(agent.path, asks.key()); };
  EXPECT_EQ(ask(Asked(good + good))->size(), 2U);
  EXPECT_EQ(ask(Asked("error no\n")).error().code, EPERM);
  EXPECT_EQ(ask(Asked("")).error().code, EBADMSG);
  EXPECT_EQ(ask(Asked(good + "nonsense\n")).error().code, EBADMSG);
  EXPECT_EQ(ask(Asked(good + others)).error().code, EBADMSG);
  EXPECT_EQ(ask(Asked(good, false)).error().code, ETIMEDOUT);
  EXPECT_EQ(ask_agent("/no/such/agent", asks.key()).error().code, ENOENT);
}

}  // namespace
}  // namespace osp::pip
