// Task core, as a client that says what no client should, beside a driver that must not mind. Statically linked,
// without GoogleTest: there are no files.
#include <cstdio>
#include <cstring>
#include <random>

#include "pip/codec.h"
#include "tests/drivers/uart/client.h"

namespace {

namespace host = osp::host;
namespace native = osp::native;
using namespace osp::pip;
using Say = Client::Say;

int failures;

#define EXPECT(condition) expect(condition, #condition, __LINE__)

void expect(bool good, const char* what, int line) {
  if (good) return;
  ++failures;
  std::printf("line %d: not so: %s\n", line, what);
}

// Whether a good client is served.
bool is_served() {
  Client client;
  if (client.connect() != 0) return false;
  client.ask(group({Tattach{.fid = 1, .afid = no_fid, .uname = {}, .aname = {}},
                    Topen{.fid = 1, .nfid = 2, .path = "dev/uart/eia1ctl", .mode = "r"},
                    Tread{.fid = 2, .offset = 0, .count = 100, .attrs = {}}}));
  return client.answer().find("b115200 ") != std::string::npos;
}

void segments_that_are_none() {
  for (const uint64_t size : {uint64_t{0}, uint64_t{100}, Client::segment_size + 4096, uint64_t{1} << 40, ~uint64_t{0}})
    EXPECT(Client().connect(size) == EINVAL);
  Client client;
  Client::say(Say::segment, Client::segment_size, 0, 0, 0, client.queue());  // is no segment
  Client::say(Say::answers, 0, 0, 0, 0, client.segment());                   // is no queue
  Client::say(Say::segment, Client::segment_size, 0, 0, 0, native::no_handle);
  Client::say(Say::answers, 0, 0, 0, 0, native::no_handle);
  EXPECT(is_served());
}

void words_out_of_turn() {
  Client::say(Say::end, 0, 0, 0, 0, native::no_handle);
  Client::say(Say::frame, 0, 100, Client::room_at, Client::room_size, native::no_handle);
  Client::say(Say::answers, 0, 0, 0, 0, native::no_handle);
  Client::say(static_cast<Say>(77), 1, 2, 3, 4, native::no_handle);
  const Client client;
  Client::say(Say::segment, Client::segment_size, 0, 0, 0, client.segment());
  Client::say(Say::frame, 0, 100, Client::room_at, Client::room_size, native::no_handle);
  EXPECT(is_served());
}

void frames_out_of_the_segment() {
  constexpr uint64_t size = Client::segment_size, far = ~uint64_t{0};
  const uint64_t places[][4] = {{size, 1, 0, 4096}, {0, size + 1, 0, 4096}, {far, 2, 0, 4096}, {0, far, 0, 4096},
                                {0, 8, size, 4096}, {0, 8, 0, far},         {0, 8, far, 4096}, {0, 8, 0, 10}};
  for (const auto& [offset, length, room, room_size] : places) {
    Client client;
    EXPECT(client.connect() == 0);
    Client::say(Say::frame, offset, length, room, room_size, native::no_handle);
    EXPECT(is_served());
  }
}

// A body that is none has an empty answer.
void bodies_that_are_none() {
  Client client;
  EXPECT(client.connect() == 0);
  std::mt19937 random(7);
  const std::string good = group({Tattach{.fid = 1, .afid = no_fid, .uname = {}, .aname = {}},
                                  Topen{.fid = 1, .nfid = 2, .path = "dev/uart/eia1", .mode = "w"},
                                  Tclunk{.fid = 2, .version = 0}, Tclunk{.fid = 1, .version = 0}});
  for (int round = 0; round < 3000; ++round) {
    std::string body = good.substr(0, random() % (good.size() + 1));
    for (unsigned flips = random() % 4; flips > 0 && !body.empty(); --flips)
      body[random() % body.size()] = static_cast<char>(random());
    client.ask(body);
    const std::string answer = client.answer();
    if (!answer.empty()) EXPECT(decode_body(answer, OptionSet::all(), 16).has_value());
  }
  EXPECT(is_served());
}

void answers_that_nobody_takes() {
  Client client(1);
  EXPECT(client.connect() == 0);
  for (int round = 0; round < 100; ++round) client.ask(group({Tping{.dat = "?"}}));
  EXPECT(is_served());
}

void a_client_that_died() {
  static char text[65536];
  do {
    host::yield();
    const long length = osp::raw::syscall(native::task_table, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
  } while (std::strstr(text, " dying ") != nullptr);
  EXPECT(is_served());
}

}  // namespace

int main() {
  EXPECT(is_served());
  segments_that_are_none();
  words_out_of_turn();
  frames_out_of_the_segment();
  bodies_that_are_none();
  answers_that_nobody_takes();
  a_client_that_died();
  std::printf("%d failures\n", failures);
  std::fflush(stdout);
  host::end(failures == 0 ? 0 : 1);
}
