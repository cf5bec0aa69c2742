// Threads that wait in the core, each in a call of its own.
#include <pthread.h>
#include <unistd.h>

#include <cstdio>

namespace {

int ends[2];

void* wait_for_pipe(void*) {
  char byte = 0;
  pthread_setname_np(pthread_self(), "waits");
  return read(ends[0], &byte, 1) == 1 ? &ends : nullptr;
}

void* sleep_long(void*) {
  pthread_setname_np(pthread_self(), "sleeps");
  sleep(1000);
  return nullptr;
}

}  // namespace

int main() {
  pthread_t waits{}, sleeps{};
  if (pipe(ends) != 0) return 1;
  pthread_create(&waits, nullptr, wait_for_pipe, nullptr);
  pthread_create(&sleeps, nullptr, sleep_long, nullptr);
  usleep(100'000);
  std::puts("begun");
  std::fflush(stdout);
  pthread_join(waits, nullptr);
  return 0;
}
