// A program that is checkpointed and restored by live_test.cc: it makes one of everything, says `begun`, waits for a
// file named `go` (in the working directory), and then checks that all of it is as it was.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/migrate/expect.h"

namespace {

std::atomic<uint64_t> rounds;
std::atomic<bool> enough;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
int turn = 0;

// Hands the turn round, and keeps sums in registers that must survive: integers, doubles, vectors.
void* work(void* argument) {
  const int self = static_cast<int>(reinterpret_cast<long>(argument));
  double sum = self;
  while (!enough) {
    pthread_mutex_lock(&mutex);
    while (turn % 3 != self && !enough) pthread_cond_wait(&changed, &mutex);
    ++turn;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    const double before = sum;
    for (int i = 1; i <= 64; ++i) sum += 1.0 / i;
    for (int i = 64; i >= 1; --i) sum -= 1.0 / i;
    if (sum - before > 1e-9 || before - sum > 1e-9) return reinterpret_cast<void*>(1);
    sum = before;
    ++rounds;
  }
  return nullptr;
}

struct Files {
  int regular, deleted, pipe[2], event, timer, epoll, signals, pair[2], memfd, listener, unaccepted, copy, stat;
};

Files make_files() {
  Files f = {};
  f.regular = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
  expect(write(f.regular, "0123456789", 10) == 10, "write");
  lseek(f.regular, 4, SEEK_SET);
  f.copy = dup(f.regular);
  f.stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  f.deleted = open("deleted", O_RDWR | O_CREAT, 0600);
  expect(write(f.deleted, "gone", 4) == 4, "write to what is deleted");
  unlink("deleted");
  expect(pipe(f.pipe) == 0 && write(f.pipe[1], "in the pipe", 11) == 11, "pipe");
  f.event = eventfd(7, EFD_NONBLOCK);
  f.timer = timerfd_create(CLOCK_MONOTONIC, 0);
  const itimerspec far = {{0, 0}, {1000, 0}};
  timerfd_settime(f.timer, 0, &far, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  f.signals = signalfd(-1, &set, SFD_NONBLOCK);
  kill(getpid(), SIGUSR2);
  expect(socketpair(AF_UNIX, SOCK_STREAM, 0, f.pair) == 0 && write(f.pair[0], "hello", 5) == 5, "socketpair");
  f.memfd = memfd_create("shared", 0);
  expect(write(f.memfd, "memory", 6) == 6, "memfd");
  f.listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "listener");
  expect(bind(f.listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(f.listener, 5) == 0,
         "listen");
  f.unaccepted = socket(AF_UNIX, SOCK_STREAM, 0);
  expect(connect(f.unaccepted, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect to itself");
  f.epoll = epoll_create1(0);
  epoll_event wanted = {};
  wanted.events = EPOLLIN, wanted.data.u64 = 0xabcdef;
  epoll_ctl(f.epoll, EPOLL_CTL_ADD, f.event, &wanted);
  return f;
}

void check_files(const Files& f) {
  char buffer[64] = {};
  expect(read(f.regular, buffer, 3) == 3 && std::memcmp(buffer, "456", 3) == 0, "a file's offset");
  expect(lseek(f.copy, 0, SEEK_CUR) == 7, "duplicates share their offset");
  const std::string first_number = std::to_string(getpid()) + " (";
  expect(pread(f.stat, buffer, 16, 0) == 16 && std::string(buffer).starts_with(first_number), "a file of /proc");
  expect((fcntl(f.stat, F_GETFD) & FD_CLOEXEC) != 0, "close on exec");
  expect(pread(f.deleted, buffer, 4, 0) == 4 && std::memcmp(buffer, "gone", 4) == 0, "a deleted file's contents");
  expect(read(f.pipe[0], buffer, 64) == 11 && std::memcmp(buffer, "in the pipe", 11) == 0, "a pipe's contents");
  expect(write(f.pipe[1], "x", 1) == 1 && read(f.pipe[0], buffer, 64) == 1, "a pipe goes on");
  epoll_event ready = {};
  expect(epoll_wait(f.epoll, &ready, 1, 0) == 1 && ready.data.u64 == 0xabcdef, "epoll");
  uint64_t count = 0;
  expect(read(f.event, &count, 8) == 8 && count == 7, "an eventfd's count");
  itimerspec left = {};
  timerfd_gettime(f.timer, &left);
  expect(left.it_value.tv_sec > 900 && left.it_value.tv_sec <= 1000, "a timerfd runs on");
  signalfd_siginfo info = {};
  expect(read(f.signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2,
         "a pending signal by signalfd");
  expect(read(f.pair[1], buffer, 64) == 5 && write(f.pair[1], "back", 4) == 4 && read(f.pair[0], buffer, 64) == 4,
         "a pair");
  expect(pread(f.memfd, buffer, 6, 0) == 6 && std::memcmp(buffer, "memory", 6) == 0, "a memfd");
  const int accepted = accept(f.listener, nullptr, nullptr);
  expect(write(f.unaccepted, "late", 4) == 4 && read(accepted, buffer, 64) == 4, "a connection waits to be accepted");
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "listener");
  expect(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "a socket listens again");
}

volatile sig_atomic_t caught = 0;
void catch_it(int) { caught = caught + 1; }

int64_t monotonic_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int main() {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const Files files = make_files();
  const pid_t pid = getpid();
  auto* shared =
      static_cast<std::atomic<int>*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *shared = 42;
  auto* mapped = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, files.memfd, 0));
  mapped[0] = 'M';
  auto* hidden = static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  std::strcpy(hidden, "hidden");
  mprotect(hidden, 4096, PROT_NONE);
  std::vector<uint64_t> heap(1 << 18);
  for (size_t i = 0; i < heap.size(); ++i) heap[i] = i * 2654435761U;
  signal(SIGUSR1, catch_it);
  pthread_t threads[3];
  for (long i = 0; i < 3; ++i) pthread_create(&threads[i], nullptr, work, reinterpret_cast<void*>(i));
  while (rounds < 100) usleep(1000);
  const int64_t began = monotonic_ns();
  std::printf("begun\n");
  int64_t last = began;
  while (access("go", F_OK) != 0) {
    usleep(2000);
    const int64_t now = monotonic_ns();
    expect(now >= last, "the clock goes forward");
    last = now;
  }
  const uint64_t before = rounds;
  while (rounds < before + 100) usleep(1000);
  enough = true;
  pthread_cond_broadcast(&changed);
  for (const pthread_t thread : threads) {
    void* result = nullptr;
    pthread_join(thread, &result);
    expect(result == nullptr, "a thread's sums");
  }
  expect(getpid() == pid, "the pid");
  expect(*shared == 42, "shared memory");
  mprotect(hidden, 4096, PROT_READ);
  expect(std::strcmp(hidden, "hidden") == 0, "memory without access");
  expect(mapped[0] == 'M', "a mapped memfd");
  for (size_t i = 0; i < heap.size(); ++i)
    if (heap[i] != i * 2654435761U) {
      expect(false, "the heap");
      break;
    }
  kill(pid, SIGUSR1);
  expect(caught == 1, "a signal to itself");
  expect(mapped[0] == 'M' && pwrite(files.memfd, "m", 1, 0) == 1 && mapped[0] == 'm',
         "a memfd and its mapping are one");
  pwrite(files.memfd, "m", 1, 0);
  check_files(files);
  std::printf("ended, %d wrong\n", failures);
  return failures == 0 ? 7 : 1;
}
