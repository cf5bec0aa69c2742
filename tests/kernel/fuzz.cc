// A task that makes random calls: all numbers, bad and good pointers, from several threads. What it does to itself is
// mended by its upcall handler as far as may be (its stacks may be hit too); the kernel must live. The boot record says
// how long, and the seed: "seconds 10 seed 1".
#include <pthread.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "tests/kernel/native_calls.h"

extern "C" {
// Makes a system call. A thread that comes back from it as a new one ends at once.
long fuzz_call(long number, const uint64_t* arguments);
// Calls fuzz_loop(place) and remembers the stack in `*stack_pointer`; where a thread goes on after a fault.
void fuzz_begin(void* place, uint64_t* stack_pointer);
void fuzz_recover();
}

namespace {

namespace host = osp::host;
namespace native = osp::native;

constexpr int thread_count = 4;
constexpr size_t page = 4096;
constexpr uintptr_t outside = 0x1000'0000;  // memory to play with, 64 pages of it

// Everything that a thread needs is in the window: it may be sent to any space.
struct Place {
  alignas(4096) char scratch[4 * page];
  alignas(4096) char handler_stack[4 * page];
  alignas(4096) char stack[64 * page];
  uint64_t seed, calls, successes, faults;
  long last;                   // the call that it is in
  uint64_t fs, stack_pointer;  // to recover
  native::Upcall upcall;
};
Place places[thread_count];

class Chance {
 public:
  explicit Chance(uint64_t& state) : state_(state) {}
  uint64_t next() {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return state_ * 0x2545'f491'4f6c'dd1d;
  }
  uint64_t below(uint64_t end) { return (next() >> 33) % end; }

 private:
  uint64_t& state_;
};

uint64_t wild_number(Chance& chance) {
  constexpr uint64_t odd[] = {0,
                              1,
                              2,
                              page - 1,
                              page,
                              page + 1,
                              1 << 21,
                              uint64_t{1} << 31,
                              uint64_t{1} << 32,
                              uint64_t{1} << 40,
                              0x7fff'ffff'f000,
                              0x7fff'ffff'ffff,
                              0x8000'0000'0000,
                              0xffff'8000'0000'0000,
                              0xffff'ffff'8020'0000,
                              ~uint64_t{0},
                              ~uint64_t{0} - page,
                              uint64_t{1} << 63};
  switch (chance.below(4)) {
    case 0:
      return odd[chance.below(std::size(odd))];
    case 1:
      return chance.below(64);
    case 2:
      return chance.next() >> chance.below(64);
    default:
      return odd[chance.below(std::size(odd))] + chance.below(64) - 32;
  }
}

uint64_t pointer(Chance& chance, Place& place) {
  const auto scratch = reinterpret_cast<uint64_t>(place.scratch);
  switch (chance.below(8)) {
    case 0:
      return wild_number(chance);
    case 1:
      return outside + chance.below(80 * page);
    case 2:
      return outside + page * chance.below(80) - chance.below(64);  // across the end of a page
    case 3:
      return reinterpret_cast<uint64_t>(native_calls::boot_info()->modules[0].data);  // read only
    default:
      return scratch + (chance.below(3 * page) & ~uint64_t{7});
  }
}

// Contents for what pointers lead to.
void scribble(Chance& chance, Place& place) {
  auto* words = reinterpret_cast<uint64_t*>(place.scratch);
  const uint64_t from = chance.below(sizeof place.scratch / 8 - 64);
  for (uint64_t i = 0; i < 64; ++i)
    words[from + i] = chance.below(3) == 0 ? pointer(chance, place) : wild_number(chance);
}

bool takes_addresses(long number) {
  return number == SYS_mmap || number == SYS_munmap || number == SYS_mprotect || number == SYS_madvise ||
         number == native::map_from || number == native::segment_map || number == native::segment_map_part;
}

// Addresses of memory calls stay away from the window and what libc maps behind it. (A range across them is refused.)
void tame_memory_call(Chance& chance, long number, uint64_t* arguments) {
  constexpr uint64_t sizes[] = {page, 2 * page, 16 * page, 17 * page, uint64_t{1} << 30, 0, 5};
  const int addresses = number == native::map_from ? 2 : 1,
            first = number == native::segment_map || number == native::segment_map_part ? 1 : 0;
  for (int i = first; i < first + addresses; ++i) {
    if (chance.below(8) != 0) arguments[i] = outside + chance.below(128) * page;
    if (arguments[i] >= osp::window::image && arguments[i] < 0x7000'0000'0000) arguments[i] = outside;
  }
  if (chance.below(2) == 0) arguments[first + addresses] = sizes[chance.below(std::size(sizes))];
  if (number == native::segment_map_part)
    return arguments[3] &= 0x7f'ffff, arguments[4] &= 7, arguments[5] %= 3, void();
  if (number != native::map_from) return arguments[2] &= 7, void();
  arguments[3] &= 7, arguments[4] %= 4;
}

long number(Chance& chance) {
  switch (chance.below(8)) {
    case 0:
      return static_cast<long>(wild_number(chance));
    case 1:
    case 2:
      return host::calls[chance.below(host::calls.size())];
    default:
      return native::first_call + static_cast<long>(chance.below(native::last_call - native::first_call + 2));
  }
}

bool is_console(uint64_t fd) { return static_cast<int>(fd) == 1 || static_cast<int>(fd) == 2; }

// One call's number and arguments; false: not this one.
bool choose(Chance& chance, Place& place, long& nr, uint64_t* arguments) {
  nr = number(chance);
  if (nr == SYS_exit || nr == SYS_exit_group) return false;
  for (int i = 0; i < 6; ++i)
    arguments[i] = chance.below(2) == 0   ? pointer(chance, place)
                   : chance.below(2) == 0 ? chance.below(40)
                                          : wild_number(chance);
  if ((nr == SYS_write || nr == SYS_writev) && is_console(arguments[0]))
    arguments[1] = 0x8000'0000'0000 - chance.below(page);  // or the log is full of it
  // These fill as much as they are told to: no more than the scratch has room for, where they hit it.
  if ((nr == SYS_getrandom || nr == native::task_table) && chance.below(8) != 0) arguments[1] %= page;
  if ((nr == SYS_getrandom || nr == native::task_table) && arguments[1] > page) arguments[0] = outside;
  if (nr == native::upcall_set && chance.below(16) != 0) arguments[0] = wild_number(chance);  // most do not take
  if (nr == SYS_clone || nr == SYS_clone3) arguments[1] = nr == SYS_clone3 ? 88 : arguments[1];
  if (takes_addresses(nr)) tame_memory_call(chance, nr, arguments);
  return true;
}

// The loop of a thread. It may be begun again at any point, with only `place` known, and uses neither libc nor TLS.
extern "C" [[noreturn]] void fuzz_loop(Place* place) {
  Chance chance(place->seed);
  native_calls::call(native::upcall_set, &place->upcall);
  uint64_t arguments[6] = {};
  for (;;) {
    long nr = 0;
    scribble(chance, *place);
    if (!choose(chance, *place, nr, arguments)) continue;
    native_calls::call(native::timer_set, static_cast<uint64_t>(host::monotonic_ns()) + 300'000);
    ++place->calls;
    place->last = nr;
    place->successes += fuzz_call(nr, arguments) >= 0 ? 1 : 0;
    native_calls::call(native::upcall_set, &place->upcall);
  }
}

extern "C" [[noreturn]] void fuzz_handler(native::Frame* frame) {
  const auto at = reinterpret_cast<uint64_t>(frame);
  for (Place& place : places) {
    if (at < reinterpret_cast<uint64_t>(place.handler_stack) || at >= reinterpret_cast<uint64_t>(place.stack)) continue;
    const bool lost = frame->rip < osp::window::image || frame->rip >= osp::window::boot_stack;
    if (frame->event == native::Event::fault || lost) {
      ++place.faults;
      osp::raw::call(SYS_arch_prctl, 0x1002, static_cast<long>(place.fs));  // ARCH_SET_FS
      frame->rip = reinterpret_cast<uint64_t>(fuzz_recover);
      frame->rsp = place.stack_pointer;
      frame->rdi = reinterpret_cast<uint64_t>(&place);
      frame->flags = 0x202;
    }
  }
  for (;;) native_calls::call(native::upcall_return, frame);
}

void* start_thread(void* argument) {
  auto& place = *static_cast<Place*>(argument);
  osp::raw::syscall(SYS_arch_prctl, 0x1003, &place.fs);  // ARCH_GET_FS
  place.upcall = {reinterpret_cast<uint64_t>(fuzz_handler),
                  reinterpret_cast<uint64_t>(place.handler_stack + sizeof place.handler_stack), 0};
  fuzz_begin(&place, &place.stack_pointer);
  return nullptr;
}

uint64_t setting(std::string_view name, uint64_t value) {
  const native::BootInfo& info = *native_calls::boot_info();
  for (size_t i = 0; i < info.module_count; ++i) {
    if (std::string_view(info.modules[i].name) != "boot") continue;
    const std::string_view text(info.modules[i].data, info.modules[i].size);
    const size_t at = text.find(name);
    if (at != std::string_view::npos) std::from_chars(text.data() + at + name.size(), text.data() + text.size(), value);
  }
  return value;
}

void report(const Place& place) {
  char line[160];
  const int size = std::snprintf(line, sizeof line, "fuzz: %lu calls, %lu good, %lu faults, the last %ld\n",
                                 place.calls, place.successes, place.faults, place.last);
  host::write_console(line, static_cast<size_t>(size));
}

void start(Place& place, uint64_t seed) {
  pthread_attr_t attributes;
  pthread_t thread;
  place.seed = seed;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, place.stack, sizeof place.stack);
  if (pthread_create(&thread, &attributes, start_thread, &place) != 0) host::end(1);
}

}  // namespace

int main() {
  const uint64_t seed = setting("seed ", 1);
  const int64_t end_ns = host::monotonic_ns() + static_cast<int64_t>(setting("seconds ", 10)) * 1'000'000'000;
  for (uint64_t i = 0; i < thread_count; ++i) start(places[i], (seed + 1) * 0x9e37'79b9'7f4a'7c15 + i);
  while (host::monotonic_ns() < end_ns) host::sleep_until(end_ns);
  for (const Place& place : places) report(place);
  host::end(0);
}
