// A seeded simulation: a client and a server with a network between them that loses, doubles, damages, delays and
// reorders datagrams, is narrow, has a short queue, goes away for a while, takes only so large ones, and gives the
// client another address. All bytes must arrive once and in order, it must flow again soon after each outage, and
// nothing may be flooded.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>

#include "pip/udp/carrier.h"

namespace osp::pip::udp {
namespace {

constexpr int64_t second_us = 1'000'000;

struct Weather {
  double loss = 0, doubling = 0, damage = 0, lateness = 0;
  int64_t delay_us = 10'000;
  double bytes_a_us = 12.5;  // 100 Mbit/s
  size_t queue = 200'000;    // bytes; what does not fit is lost
  size_t most_datagram = 1500;
};

// One direction.
class Line {
 public:
  Line(std::mt19937& random, const Weather& weather) : random_(random), weather_(weather) {}

  void send(const std::string& datagram, const PeerAddress& from, int64_t now_us, bool is_out) {
    free_us_ = std::max(free_us_, now_us);
    const auto waiting = static_cast<double>(free_us_ - now_us) * weather_.bytes_a_us;
    if (is_out || happens(weather_.loss) || datagram.size() > weather_.most_datagram ||
        waiting + static_cast<double>(datagram.size()) > static_cast<double>(std::max(weather_.queue, datagram.size())))
      return;
    free_us_ += static_cast<int64_t>(static_cast<double>(datagram.size()) / weather_.bytes_a_us);
    for (int copies = happens(weather_.doubling) ? 2 : 1; copies > 0; --copies) {
      const int64_t late_us = happens(weather_.lateness) ? static_cast<int64_t>(random_() % 30'000) : 0;
      std::string bytes = datagram;
      if (happens(weather_.damage)) bytes[random_() % bytes.size()] ^= static_cast<char>(1 << random_() % 8);
      under_way_.emplace(free_us_ + weather_.delay_us + late_us, Flying{std::move(bytes), from});
    }
  }
  struct Flying {
    std::string bytes;
    PeerAddress from;
  };
  [[nodiscard]] int64_t next_us() const { return under_way_.empty() ? INT64_MAX : under_way_.begin()->first; }
  Flying take() {
    auto node = under_way_.extract(under_way_.begin());
    return std::move(node.mapped());
  }

 private:
  bool happens(double chance) { return std::uniform_real_distribution<>(0, 1)(random_) < chance; }
  std::mt19937& random_;
  const Weather& weather_;
  std::multimap<int64_t, Flying> under_way_;
  int64_t free_us_ = 0;
};

// Whom both ends know, so that the keys need not be made for each seed.
const Identity& server_identity() {
  static const Identity identity = Identity::random();
  return identity;
}
const Identity& client_identity() {
  static const Identity identity = Identity::random();
  return identity;
}

struct End {
  std::unique_ptr<Carrier> carrier;
  std::string sent, received;
  size_t written = 0;
  int64_t received_us = 0;  // when something last did
};

class Simulation {
 public:
  Simulation(unsigned seed, Weather weather, size_t size, bool is_known)
      : random_(seed), weather_(weather), up_(random_, weather_), down_(random_, weather_) {
    const auto random = [this] { return random_(); };
    client_seal_ = std::make_unique<SealedClient>(
        SealedClient::Options{.identity = client_identity(),
                              .server = is_known ? std::optional(server_identity().key()) : std::nullopt,
                              .sealing = Sealing::by_transport});
    server_seal_ = std::make_unique<SealedServer>(
        server_identity(), [](const auto&, auto) { return Access::everything(); }, Sealing::by_transport);
    client.carrier = std::make_unique<Carrier>(
        Connection::Options{.role = Connection::Role::client, .id = 5, .most_datagram = 65507, .random = random},
        Carrier::Above{
            [this](std::string_view bytes, std::string& out) { return take(client, *client_seal_, bytes, out); },
            [this] { return &client_seal_->progress(); }});
    server.carrier = std::make_unique<Carrier>(Connection::Options{.role = Connection::Role::server,
                                                                   .id = 5,
                                                                   .peer = address,
                                                                   .most_datagram = 65507,
                                                                   .token = {9},
                                                                   .random = random},
                                               Carrier::Above{[this](std::string_view bytes, std::string& out) {
                                                                return take(server, *server_seal_, bytes, out);
                                                              },
                                                              [this] { return &server_seal_->progress(); }});
    for (End* end : {&client, &server})
      for (size_t i = 0; i < size; i += 4) end->sent.append(std::to_string(1000 + random_() % 9000));
    std::string out;
    EXPECT_TRUE(client_seal_->begin(client.sent.substr(0, 100), out));
    client.written = std::min<size_t>(100, client.sent.size());
    client.carrier->send(out);
  }

  // Until all is there, or so much time has passed.
  void run(int64_t until_us) {
    while (now_us < until_us && (goes_on || !is_done())) {
      write();
      flush();
      const int64_t next_us =
          std::min({up_.next_us(), down_.next_us(), event_us(), until_us, client.carrier->connection().deadline_us(),
                    server.carrier->connection().deadline_us()});
      ASSERT_FALSE(next_us < now_us && ++stuck_ > 1000) << "a deadline that does not pass";
      if (next_us > now_us) stuck_ = 0;
      now_us = std::max(now_us, next_us);
      if (!events.empty() && event_us() <= now_us) {
        auto event = events.extract(events.begin());
        event.mapped()();
      }
      arrive();
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
  }
  void expect_all_there() {
    EXPECT_TRUE(client.received == server.sent) << client.received.size() << " of " << server.sent.size();
    EXPECT_TRUE(server.received == client.sent) << server.received.size() << " of " << client.sent.size();
  }
  [[nodiscard]] bool is_done() const {
    return client.received.size() >= server.sent.size() && server.received.size() >= client.sent.size();
  }
  Weather& weather() { return weather_; }
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  std::multimap<int64_t, std::function<void()>> events;
  End client, server;
  PeerAddress address = "a";  // the client's
  bool is_out = false;
  bool goes_on = false;           // though all is there
  size_t write_limit = SIZE_MAX;  // of both ends
  int64_t now_us = 1;
  std::map<PeerAddress, uint64_t> sent_to, sent_from;  // bytes
  uint64_t datagrams = 0;
  std::string last_up;  // as somebody on the way has it

 private:
  [[nodiscard]] int64_t event_us() const { return events.empty() ? INT64_MAX : events.begin()->first; }
  template <class Seal>
  Result<void> take(End& end, Seal& seal, std::string_view bytes, std::string& out) {
    const size_t before = end.received.size();
    OSP_TRY(seal.receive(bytes, end.received, out));
    if (end.received.size() > before) end.received_us = now_us;
    return {};
  }
  void write() {
    write(client, *client_seal_, client_seal_->state() == SealedClient::State::open);
    write(server, *server_seal_, server_seal_->state() == SealedServer::State::open);
  }
  template <class Seal>
  void write(End& end, Seal& seal, bool is_open) {
    const size_t most = std::min(end.sent.size(), write_limit);
    if (!is_open || end.written >= most || end.carrier->connection().unacknowledged() > 1U << 20) return;
    const std::string_view part =
        std::string_view(end.sent).substr(end.written, std::min<size_t>(65536, most - end.written));
    std::string out;
    ASSERT_TRUE(seal.seal(part, out));
    end.written += part.size();
    end.carrier->send(out);
  }
  void flush() {
    for (End* end : {&client, &server}) {
      std::string datagram;
      PeerAddress to;
      while (end->carrier->connection().next_datagram(now_us, datagram, to)) {
        ++datagrams;
        if (end == &client) {
          last_up = datagram;
          sent_from[address] += datagram.size();
          up_.send(datagram, address, now_us, is_out);
        } else {
          sent_to[to] += datagram.size();
          const bool is_there = to == address;
          down_.send(datagram, "", now_us, is_out || !is_there);
        }
        datagram.clear();
      }
      const Connection& connection = end->carrier->connection();
      ASSERT_LE(connection.bytes_in_flight(), 40U << 20);
    }
  }
  void arrive() {
    for (; up_.next_us() <= now_us;) {
      const auto flying = up_.take();
      server.carrier->connection().receive(flying.bytes, flying.from, now_us);
      ASSERT_TRUE(server.carrier->deliver());
    }
    for (; down_.next_us() <= now_us;) {
      client.carrier->connection().receive(down_.take().bytes, "", now_us);
      ASSERT_TRUE(client.carrier->deliver());
    }
  }

  std::mt19937 random_;
  Weather weather_;
  Line up_, down_;
  std::unique_ptr<SealedClient> client_seal_;
  std::unique_ptr<SealedServer> server_seal_;
  int stuck_ = 0;
};

unsigned seeds() {
  const char* text = std::getenv("OSP_SEEDS");
  return text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 60;
}

TEST(UdpSimulation, AllBytesArriveOnceAndInOrderInAnyWeather) {
  constexpr std::array once_stuck = {132U, 457U};  // where nobody was, both
  for (unsigned i = 0; i < once_stuck.size() + seeds() && !HasFailure(); ++i) {
    const unsigned seed = i < once_stuck.size() ? once_stuck[i] : i - static_cast<unsigned>(once_stuck.size());
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed * 7919);
    const auto some = [&](double most) {
      return random() % 2 == 0 ? 0.0 : most * static_cast<double>(random() % 100) / 100;
    };
    const Weather weather{.loss = some(0.2),
                          .doubling = some(0.2),
                          .damage = some(0.1),
                          .lateness = some(0.3),
                          .delay_us = static_cast<int64_t>(100 + random() % 100'000),
                          .bytes_a_us = 0.5 + static_cast<double>(random() % 20),
                          .queue = 3000 + random() % 300'000,
                          .most_datagram = 1200 + random() % 1000};
    Simulation simulation(seed, weather, 30'000 + random() % 300'000, random() % 2 == 0);
    // Other addresses, outages and smaller datagrams on the way.
    for (int64_t at_us = 0; at_us < 20 * second_us; at_us += static_cast<int64_t>(random() % (4 * second_us))) {
      simulation.events.emplace(at_us,
                                [&, what = random() % 3, size = 1200 + random() % 300, for_us = random() % 1'500'000] {
                                  if (what == 0) {
                                    simulation.address = "a" + std::to_string(simulation.now_us);
                                    simulation.client.carrier->connection().path_has_changed(65507);
                                  } else if (what == 1) {
                                    simulation.weather().most_datagram = size;
                                  } else {
                                    simulation.is_out = true;
                                    simulation.events.emplace(simulation.now_us + static_cast<int64_t>(for_us),
                                                              [&] { simulation.is_out = false; });
                                  }
                                });
    }
    simulation.run(600 * second_us);
    simulation.expect_all_there();
  }
}

TEST(UdpSimulation, FlowsAgainSoonAfterAnOutageOfAnyLength) {
  for (const double length_s : {0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 600.0}) {
    for (unsigned seed = 0; seed < 3 && !HasFailure(); ++seed) {
      SCOPED_TRACE(std::to_string(length_s) + " s, seed " + std::to_string(seed));
      Simulation simulation(seed, {.delay_us = 25'000, .most_datagram = 1452}, 3'000'000, true);
      const int64_t back_us = second_us / 5 + static_cast<int64_t>(length_s * 1e6);
      simulation.events.emplace(second_us / 5, [&] { simulation.is_out = true; });
      simulation.events.emplace(back_us, [&] { simulation.is_out = false; });
      simulation.run(back_us);
      ASSERT_FALSE(simulation.is_done());
      const size_t before = simulation.client.received.size() + simulation.server.received.size();
      simulation.run(back_us + second_us);
      EXPECT_GT(simulation.client.received.size() + simulation.server.received.size(), before);
      simulation.run(back_us + 60 * second_us);
      simulation.expect_all_there();
    }
  }
}

TEST(UdpSimulation, AnotherAddressIsAnsweredWithinAThirdOfASecond) {
  for (unsigned seed = 0; seed < 4 && !HasFailure(); ++seed) {
    Simulation simulation(seed, {.delay_us = 25'000, .most_datagram = 1452}, 10'000'000, true);
    const int64_t at_us = second_us / 2 + simulation.pick(100'000);
    simulation.events.emplace(at_us, [&] {
      simulation.address = "b";
      simulation.client.carrier->connection().path_has_changed(1500);
    });
    simulation.run(at_us + 60'000);  // what was on its way has arrived
    const size_t before = simulation.client.received.size();
    simulation.run(at_us + 300'000);
    EXPECT_GT(simulation.client.received.size(), before);
    EXPECT_EQ(simulation.server.carrier->connection().path().address, "b");
    EXPECT_TRUE(simulation.server.carrier->connection().path().is_validated);
    simulation.run(100 * second_us);
    simulation.expect_all_there();
  }
}

// A NAT has forgotten the client, which does not know.
TEST(UdpSimulation, AnotherPortThatTheClientDoesNotKnowOf) {
  Simulation simulation(1, {.delay_us = 25'000, .most_datagram = 1452}, 5'000'000, true);
  simulation.events.emplace(second_us / 2, [&] { simulation.address = "b"; });
  simulation.run(100 * second_us);
  simulation.expect_all_there();
  EXPECT_EQ(simulation.server.carrier->connection().path().address, "b");
}

TEST(UdpSimulation, WhoOnlySaysThatItIsElsewhereGetsLittleSentThere) {
  Simulation simulation(1, {.delay_us = 25'000, .most_datagram = 1452}, 20'000'000, true);
  simulation.write_limit = 2'000'000;
  simulation.run(2 * second_us);
  // Somebody on the way sends the client's next datagram on with the victim's address, and holds back all others.
  simulation.is_out = true;
  simulation.write_limit = 20'000'000;
  simulation.run(3 * second_us);
  simulation.server.carrier->connection().receive(simulation.last_up, "victim", simulation.now_us);
  EXPECT_EQ(simulation.server.carrier->connection().path().address, "victim");
  simulation.run(10 * second_us);
  EXPECT_LE(simulation.sent_to["victim"], 3 * simulation.last_up.size() + base_datagram * 3);
  EXPECT_EQ(simulation.server.carrier->connection().path().address, "a");  // given up
  simulation.is_out = false;
  simulation.run(100 * second_us);
  simulation.expect_all_there();
}

TEST(UdpSimulation, WhoOnlyBeginsGetsAtMostThreeTimesWhatItSent) {
  Simulation simulation(1, {}, 1'000'000, true);
  simulation.events.emplace(5'000, [&] { simulation.address = "elsewhere"; });  // it never hears the answer
  simulation.run(5'000);
  Simulation& one = simulation;
  one.events.emplace(15'000, [&] { one.is_out = true; });
  one.run(30 * second_us);
  EXPECT_LE(one.sent_to["a"], 3 * one.sent_from["a"]);
}

TEST(UdpSimulation, AnEmptyLineIsUsedWhole) {
  Simulation simulation(1, {.delay_us = 25'000, .bytes_a_us = 7.5, .queue = 400'000, .most_datagram = 1452}, 4, true);
  simulation.server.sent.assign(30'000'000, 'x');
  simulation.run(60 * second_us);
  simulation.expect_all_there();
  EXPECT_LT(simulation.now_us, 30'000'000 / 7.5 * 1.15 + second_us);  // 60 Mbit/s
}

TEST(UdpSimulation, ALineThatTakesLargeDatagramsGetsThem) {
  Simulation simulation(1, {.delay_us = 50, .bytes_a_us = 1000, .queue = 4'000'000, .most_datagram = 65507}, 8'000'000,
                        false);
  simulation.run(60 * second_us);
  simulation.expect_all_there();
  EXPECT_EQ(simulation.client.carrier->connection().datagram_size(), 16384U);
}

TEST(UdpSimulation, AForgottenConnectionIsToldByItsTokenOnly) {
  Simulation simulation(1, {}, 100'000, true);
  simulation.run(60 * second_us);
  simulation.expect_all_there();
  Connection& client = simulation.client.carrier->connection();
  client.receive(unknown_datagram(5, {8}), "", simulation.now_us);
  EXPECT_FALSE(client.broken());
  client.receive(unknown_datagram(5, {9}), "", simulation.now_us);
  ASSERT_TRUE(client.broken());
  EXPECT_EQ(client.broken()->code, ECONNRESET);
}

TEST(UdpSimulation, NothingIsTakenTwice) {
  Simulation simulation(1, {.doubling = 1.0}, 200'000, true);
  simulation.run(60 * second_us);
  simulation.expect_all_there();
  simulation.goes_on = true;
  simulation.run(simulation.now_us + 2 * second_us);
  const std::string again = simulation.last_up;
  const auto heard_us = simulation.server.carrier->connection().heard_us();
  simulation.server.carrier->connection().receive(again, "thief", simulation.now_us + 5);
  EXPECT_EQ(simulation.server.carrier->connection().heard_us(), heard_us);
  EXPECT_EQ(simulation.server.carrier->connection().path().address, "a");
}

}  // namespace
}  // namespace osp::pip::udp
