// The serial driver, but that it ends after a while, in the middle of its work.
#include <chrono>
#include <thread>

#include "libosp/host/host.h"

int serve_ports();  // main() of drivers/uart/main.cc

int main() {
  std::thread([] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    osp::host::end(3);
  }).detach();
  return serve_ports();
}
