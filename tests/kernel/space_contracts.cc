#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/kernel/check.h"
#include "tests/kernel/handler.h"
#include "tests/kernel/native_calls.h"

namespace {

namespace host = osp::host;
namespace native = osp::native;
using native_calls::call;

constexpr uintptr_t place = 0x1000'0000, other_place = 0x2000'0000;  // outside of the window
constexpr uintptr_t window_place = 0x6807'0000'0000;
constexpr size_t page = 4096;
constexpr int read_write = PROT_READ | PROT_WRITE;

volatile char& at(uintptr_t address) { return *reinterpret_cast<volatile char*>(address); }

long map_from(uintptr_t to, uintptr_t from, size_t size, int protection, native::MapHow how) {
  return call(native::map_from, to, from, size, protection, static_cast<uint64_t>(how));
}

void a_new_space_is_empty_but_for_the_window() {
  host::map_at(place, page, read_write);
  host::map_at(window_place, page, read_write);
  at(place) = 'a';
  at(window_place) = 'w';
  const int back = static_cast<int>(call(native::space_clone));
  const int made = static_cast<int>(call(native::space_make));
  EXPECT(made >= 0 && back >= 0);
  EXPECT(call(native::space_enter, made) == 0);
  EXPECT(at(window_place) == 'w');
  EXPECT(host::protect(place, page, PROT_READ) == -ENOMEM);
  EXPECT(host::map_at(place, page, read_write) == static_cast<long>(place));
  EXPECT(at(place) == 0);
  at(place) = 'b';
  at(window_place) = 'v';
  EXPECT(call(native::space_enter, back) == 0);
  EXPECT(at(place) == 'a' && at(window_place) == 'v');
  EXPECT(call(native::space_enter, made) == 0);
  EXPECT(at(place) == 'b');
  EXPECT(call(native::space_enter, back) == 0);
  EXPECT(call(native::space_drop, made) == 0 && call(native::space_drop, made) == -EBADF);
  EXPECT(call(native::space_enter, made) == -EBADF);
  EXPECT(call(native::space_drop, back) == 0);  // goes on, since we are in it
  EXPECT(at(place) == 'a');
  host::unmap(place, page);
  host::unmap(window_place, page);
}

void a_clone_has_copies_of_what_is_private() {
  constexpr int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  host::map_at(place, 64 * page, read_write);
  EXPECT(osp::raw::syscall(SYS_mmap, other_place, page, read_write, flags, -1, 0) == static_cast<long>(other_place));
  for (size_t i = 0; i < 64; ++i) at(place + i * page) = static_cast<char>(i);
  at(other_place) = 's';
  const int here = static_cast<int>(call(native::space_clone));
  const int child = static_cast<int>(call(native::space_clone));
  call(native::space_enter, child);
  bool same = true;
  for (size_t i = 0; i < 64; ++i) same &= at(place + i * page) == static_cast<char>(i);
  EXPECT(same && at(other_place) == 's');
  for (size_t i = 0; i < 64; i += 2) at(place + i * page) = 'c';
  at(other_place) = 't';
  call(native::space_enter, here);
  same = true;
  for (size_t i = 0; i < 64; ++i) same &= at(place + i * page) == static_cast<char>(i);
  EXPECT(same && at(other_place) == 't');
  at(place + page) = 'p';
  call(native::space_enter, child);
  EXPECT(at(place) == 'c' && at(place + page) == 1 && at(place + 2 * page) == 'c');
  call(native::space_enter, here);
  EXPECT(at(place) == 0 && at(place + page) == 'p');
  call(native::space_drop, child);
  call(native::space_drop, here);
  host::unmap(place, 64 * page);
  host::unmap(other_place, page);
}

void spaces_give_their_memory_back() {
  host::map_at(place, 512 * page, read_write);
  for (size_t i = 0; i < 512; ++i) at(place + i * page) = 'x';
  // 300 times 2 MiB would not fit into the machine.
  for (int round = 0; round < 300; ++round) {
    const int back = static_cast<int>(call(native::space_clone));
    const int child = static_cast<int>(call(native::space_clone));
    if (back < 0 || child < 0 || call(native::space_enter, child) != 0) return EXPECT(false);
    for (size_t i = 0; i < 512; i += 1) at(place + i * page) = 'y';
    call(native::space_enter, back);
    call(native::space_drop, child);
    call(native::space_drop, back);
  }
  EXPECT(at(place) == 'x');
  host::unmap(place, 512 * page);
}

void memory_is_shared_with_map_from() {
  host::map_at(window_place, 4 * page, read_write);
  at(window_place + page) = 'a';
  EXPECT(map_from(place, window_place + page, 2 * page, read_write, native::MapHow::share) == 0);
  EXPECT(at(place) == 'a');
  at(place) = 'b';
  at(place + page) = 'c';
  EXPECT(at(window_place + page) == 'b' && at(window_place + 2 * page) == 'c' && at(window_place) == 0);
  EXPECT(map_from(place + page, window_place, page, PROT_READ, native::MapHow::share) == -EEXIST);
  EXPECT(map_from(other_place, window_place + page, page, PROT_READ, native::MapHow::share) == 0);
  at(place) = 'd';
  EXPECT(at(other_place) == 'd');
  EXPECT(host::unmap(place, 2 * page) == 0 && at(window_place + page) == 'd');
  host::unmap(other_place, page);
  host::unmap(window_place, 4 * page);
  EXPECT(map_from(place, window_place, page, read_write, native::MapHow::share) == -ENOMEM);
  EXPECT(map_from(place + 1, window_place, page, read_write, native::MapHow::share) == -EINVAL);
  EXPECT(map_from(place, window_place, 0, read_write, native::MapHow::share) == -EINVAL);
  EXPECT(map_from(place, window_place, page, read_write, static_cast<native::MapHow>(3)) == -EINVAL);
}

void memory_is_copied_with_map_from() {
  host::map_at(window_place, 2 * page, read_write);
  at(window_place) = 'a';
  EXPECT(map_from(place, window_place, 2 * page, read_write, native::MapHow::copy) == 0);
  EXPECT(at(place) == 'a' && at(place + page) == 0);
  at(place) = 'b';
  EXPECT(at(window_place) == 'a');
  EXPECT(map_from(other_place, window_place, 2 * page, PROT_READ, native::MapHow::copy) == 0);
  at(window_place) = 'c';
  at(window_place + page) = 'd';
  EXPECT(at(other_place) == 'a' && at(other_place + page) == 0 && at(place) == 'b');
  host::unmap(place, 2 * page);
  EXPECT(map_from(place, window_place, 2 * page, read_write, native::MapHow::share) == 0);
  host::unmap(other_place, 2 * page);
  EXPECT(map_from(other_place, place, 2 * page, read_write, native::MapHow::copy) == 0);  // of shared memory
  at(place) = 'e';
  EXPECT(at(other_place) == 'c' && at(window_place) == 'e');
  for (const uintptr_t each : {place, other_place, window_place}) host::unmap(each, 2 * page);
}

void memory_is_moved_with_map_from() {
  host::map_at(place, 8 * page, read_write);
  for (size_t i = 0; i < 8; ++i) at(place + i * page) = static_cast<char>('a' + i);
  EXPECT(map_from(other_place, place + 2 * page, 4 * page, read_write, native::MapHow::move) == 0);
  EXPECT(at(other_place) == 'c' && at(other_place + 3 * page) == 'f');
  EXPECT(at(place + page) == 'b' && at(place + 6 * page) == 'g');
  EXPECT(host::protect(place, 8 * page, PROT_READ) == -ENOMEM);
  EXPECT(host::map_at(place + 2 * page, 4 * page, read_write) > 0 && at(place + 2 * page) == 0);
  at(other_place) = 'z';
  EXPECT(at(place + 2 * page) == 0);
  host::unmap(place, 8 * page);
  host::unmap(other_place, 4 * page);
}

void a_segment_is_the_same_memory_twice() {
  const int segment = static_cast<int>(call(native::segment_make, 3 * page));
  EXPECT(segment >= 0);
  EXPECT(call(native::segment_map, segment, place, read_write) == 0);
  EXPECT(call(native::segment_map, segment, other_place, PROT_READ) == 0);
  at(place + 2 * page) = 's';
  EXPECT(at(other_place + 2 * page) == 's' && at(other_place) == 0);
  EXPECT(call(native::segment_map, segment, place + page, read_write) == -EEXIST);
  EXPECT(call(native::segment_map, segment, place + 1, read_write) == -EINVAL);
  EXPECT(native_calls::close(segment) == 0 && at(other_place + 2 * page) == 's');
  host::unmap(place, 3 * page);
  host::unmap(other_place, 3 * page);
  EXPECT(call(native::segment_make, 0) == -EINVAL);
}

long map_part(int segment, uintptr_t address, size_t size, size_t offset, native::MapHow how) {
  return call(native::segment_map_part, segment, address, size, offset, read_write, static_cast<uint64_t>(how));
}

void a_segment_is_shared_and_copied_in_parts() {
  const int segment = static_cast<int>(call(native::segment_make, 40 * page));
  EXPECT(map_part(segment, window_place, 40 * page, 0, native::MapHow::share) == 0);
  for (size_t i = 0; i < 40; ++i) at(window_place + i * page) = static_cast<char>('0' + i);
  EXPECT(map_part(segment, place, 30 * page, 10 * page, native::MapHow::share) == 0);
  EXPECT(map_part(segment, other_place, 30 * page, 10 * page, native::MapHow::copy) == 0);
  bool same = true;
  for (size_t i = 0; i < 30; ++i) same &= at(place + i * page) == static_cast<char>('0' + 10 + i);
  for (size_t i = 29; i > 0; --i) same &= at(other_place + i * page) == static_cast<char>('0' + 10 + i);
  EXPECT(same);
  at(place) = 's';
  EXPECT(at(window_place + 10 * page) == 's' && at(other_place) == 's');
  at(other_place) = 'o';
  at(other_place + 3 * page) = 'p';
  EXPECT(at(place) == 's' && at(place + 3 * page) == static_cast<char>('0' + 13));
  at(place) = 't';
  EXPECT(at(other_place) == 'o');
  EXPECT(map_part(segment, other_place, page, 11 * page, native::MapHow::copy) == 0);  // in the place of what was there
  EXPECT(at(other_place) == static_cast<char>('0' + 11) && at(other_place + 3 * page) == 'p');
  EXPECT(map_part(segment, other_place, page, 1, native::MapHow::copy) == -EINVAL);
  EXPECT(map_part(segment, other_place, page, 0, native::MapHow::move) == -EINVAL);
  EXPECT(map_part(segment + 1000, other_place, page, 0, native::MapHow::copy) == -EBADF);
  EXPECT(native_calls::close(segment) == 0);
  for (const uintptr_t each : {place, other_place, window_place}) host::unmap(each, 40 * page);
}

void a_clone_keeps_its_copies_of_a_segment() {
  const int segment = static_cast<int>(call(native::segment_make, 4 * page));
  EXPECT(map_part(segment, window_place, 4 * page, 0, native::MapHow::share) == 0);
  at(window_place) = 'a';
  at(window_place + page) = 'b';
  EXPECT(map_part(segment, place, 4 * page, 0, native::MapHow::copy) == 0);
  at(place) = 'm';
  const int here = static_cast<int>(call(native::space_clone)), child = static_cast<int>(call(native::space_clone));
  call(native::space_enter, child);
  EXPECT(at(place) == 'm' && at(place + page) == 'b');
  at(place) = 'c';
  at(place + page) = 'd';
  call(native::space_enter, here);
  EXPECT(at(place) == 'm' && at(place + page) == 'b' && at(window_place) == 'a' && at(window_place + page) == 'b');
  EXPECT(map_from(other_place, place, 4 * page, read_write, native::MapHow::share) == 0);
  EXPECT(at(other_place) == 'm' && at(other_place + page) == 'b' && at(other_place + 2 * page) == 0);
  at(other_place + page) = 'e';
  EXPECT(at(place + page) == 'e' && at(window_place + page) == 'b');
  call(native::space_drop, child);
  call(native::space_drop, here);
  EXPECT(native_calls::close(segment) == 0);
  for (const uintptr_t each : {place, other_place, window_place}) host::unmap(each, 4 * page);
}

// Tries a byte there; whether that was a fault behind the end.
bool is_behind_end(uintptr_t address) {
  const int before = handler_state.faults;
  asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t movb $2, (%1)\n\t 1:"
               : "=m"(handler_state.go_on_at)
               : "r"(address)
               : "rax", "memory");
  return handler_state.faults == before + 1 && (handler_state.error & native::fault_behind_end) != 0;
}

void a_segment_ends_and_grows() {
  begin_upcalls();
  const int segment = static_cast<int>(call(native::segment_make, page));
  EXPECT(map_part(segment, place, 1024 * page, 0, native::MapHow::share) == 0);
  EXPECT(map_part(segment, other_place, 1024 * page, 0, native::MapHow::copy) == 0);
  at(place) = 'a';
  EXPECT(is_behind_end(place + page) && is_behind_end(other_place + page) && !is_behind_end(other_place));
  EXPECT(call(native::message_send, 0, place + 512 * page, 1) == -EFAULT);  // the kernel's own touch
  EXPECT(call(native::segment_resize, segment, 1000 * page) == 0);
  EXPECT(at(place) == 'a' && at(place + 999 * page) == 0 && is_behind_end(place + 1000 * page));
  at(place + 600 * page) = 'b';
  at(place + 4 * page) = 'c';
  at(place + 3 * page) = 'd';
  EXPECT(at(other_place + 600 * page) == 'b');
  EXPECT(call(native::segment_resize, segment, 4 * page - 1) == 0);
  EXPECT(at(place + 4 * page) == 'c');  // until it is discarded
  EXPECT(host::discard(place + 4 * page, 1020 * page) == 0 && host::discard(other_place + 4 * page, 1020 * page) == 0);
  EXPECT(is_behind_end(place + 4 * page) && is_behind_end(other_place + 600 * page) && at(place + 3 * page) == 'd');
  EXPECT(call(native::segment_resize, segment, 1024 * page) == 0);
  EXPECT(at(place + 4 * page) == 0 && at(place + 600 * page) == 0 && at(other_place + 600 * page) == 0);
  EXPECT(call(native::segment_resize, segment, 0) == 0 && host::discard(place, 1024 * page) == 0);
  EXPECT(is_behind_end(place));
  EXPECT(call(native::segment_resize, segment + 1000, page) == -EBADF);
  EXPECT(native_calls::close(segment) == 0);
  for (const uintptr_t each : {place, other_place}) host::unmap(each, 1024 * page);
  end_upcalls();
}

// Other processors must not go on with what they remember of a page.
void a_change_of_rights_reaches_other_threads() {
  host::map_at(window_place, page, read_write);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> state = 0;
    int faults = 0;
    host::protect(window_place, page, read_write);
    std::thread writer([&] {
      begin_upcalls();
      at(window_place) = 1;
      state = 1;
      while (state != 2) {
      }
      asm volatile("lea 1f(%%rip), %%rax\n\t mov %%rax, %0\n\t movb $2, (%1)\n\t 1:"
                   : "=m"(handler_state.go_on_at)
                   : "r"(window_place)
                   : "rax", "memory");
      faults = handler_state.faults;
      end_upcalls();
    });
    while (state != 1) host::yield();
    host::protect(window_place, page, PROT_READ);
    state = 2;
    writer.join();
    if (faults != 1 || at(window_place) != 1) return EXPECT(false);
  }
  host::unmap(window_place, page);
}

// Clones and writes while other threads run in the same space: none of their writes may be lost.
void a_clone_loses_no_writes_of_other_threads() {
  constexpr int threads = 3;
  host::map_at(place, threads * page, read_write);
  std::atomic<bool> stop = false;
  std::atomic<bool> wrong = false;
  std::vector<std::thread> writers;
  for (int i = 0; i < threads; ++i)
    writers.emplace_back([&, i] {
      auto* count = reinterpret_cast<volatile uint64_t*>(place + static_cast<size_t>(i) * page);
      for (uint64_t mine = 1; !stop; ++mine) {
        *count = *count + 1;
        if (*count != mine) wrong = true;
      }
    });
  for (int round = 0; round < 200; ++round) {
    const long child = call(native::space_clone);
    if (child < 0) wrong = true;
    call(native::space_drop, child);
  }
  stop = true;
  for (auto& writer : writers) writer.join();
  EXPECT(!wrong);
  host::unmap(place, threads * page);
}

// 16 pages of it are touched, half of them shared with a clone, and all given back.
void memory_in_use_is_counted() {
  constexpr size_t pages = 16;
  const auto now = [] {
    native::MemoryUse use = {};
    EXPECT(call(native::memory_use, &use) == 0 && use.free < use.total);
    return use;
  };
  host::unmap(place, pages * page);
  const native::MemoryUse before = now();
  host::map_at(place, pages * page, read_write);
  EXPECT(now().space == before.space);
  for (size_t i = 0; i < pages; ++i) at(place + i * page) = 1;
  EXPECT(now().space == before.space + pages * page && now().free <= before.free - pages * page);
  host::protect(place, page, PROT_NONE);
  EXPECT(now().space == before.space + pages * page);
  host::unmap(place, pages / 2 * page);
  EXPECT(now().space == before.space + pages / 2 * page);
  host::unmap(place, pages * page);
  EXPECT(now().space == before.space);
  EXPECT(call(native::memory_use, nullptr) == -EFAULT);
}

constexpr Contract contracts[] = {
    CONTRACT(memory_in_use_is_counted),
    CONTRACT(a_new_space_is_empty_but_for_the_window),
    CONTRACT(a_clone_has_copies_of_what_is_private),
    CONTRACT(spaces_give_their_memory_back),
    CONTRACT(memory_is_shared_with_map_from),
    CONTRACT(memory_is_copied_with_map_from),
    CONTRACT(memory_is_moved_with_map_from),
    CONTRACT(a_segment_is_the_same_memory_twice),
    CONTRACT(a_segment_is_shared_and_copied_in_parts),
    CONTRACT(a_clone_keeps_its_copies_of_a_segment),
    CONTRACT(a_segment_ends_and_grows),
    CONTRACT(a_change_of_rights_reaches_other_threads),
    CONTRACT(a_clone_loses_no_writes_of_other_threads),
};

}  // namespace

bool try_spaces() { return try_all(contracts); }
