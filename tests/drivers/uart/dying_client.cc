// A task that ends while the driver owes it answers.
#include "tests/drivers/uart/client.h"

int main() {
  using namespace osp::pip;
  Client client;
  if (client.connect() != 0) return 1;
  client.ask(group({Tattach{.fid = 1, .afid = no_fid, .uname = {}, .aname = {}},
                    Topen{.fid = 1, .nfid = 2, .path = "dev/uart/eia0", .mode = "rw"},
                    Tread{.fid = 2, .offset = 0, .count = 100, .attrs = {}}}));
  client.ask(group({Tping{.dat = "?"}}));
}
