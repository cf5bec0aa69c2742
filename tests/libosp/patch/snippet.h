#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "libosp/patch/plan.h"

namespace osp::patch {

inline constexpr uint8_t syscall_bytes[] = {0x0f, 0x05};

// Code as a compiler lays it out: small functions, each aligned to 16 with nops behind its ret.
class Snippet {
 public:
  explicit Snippet(uint64_t start) : start_(start) {
    for (int i = 0; i < 10; ++i) function({0x48, 0x89, 0xf8, 0xc3});  // mov %rdi,%rax; ret
  }

  uint64_t here() const { return start_ + bytes.size(); }
  Code code() const { return {start_, bytes}; }

  // Appends bytes and returns their address.
  uint64_t add(std::initializer_list<uint8_t> more) {
    const uint64_t address = here();
    bytes.insert(bytes.end(), more);
    return address;
  }
  // Appends `before`, a system call, `after`; returns the address of the system call.
  uint64_t add_syscall(std::initializer_list<uint8_t> before, std::initializer_list<uint8_t> after = {0xc3}) {
    add(before);
    const uint64_t address = add({0x0f, 0x05});
    add(after);
    return address;
  }
  // Appends nops up to the next 16-byte boundary, the longest first.
  void align() {
    static constexpr uint8_t long_nop[] = {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0};
    const uint64_t missing = (0 - here()) % 16;
    if (missing >= sizeof long_nop) bytes.insert(bytes.end(), std::begin(long_nop), std::end(long_nop));
    while (here() % 16 != 0) bytes.push_back(0x90);
  }
  uint64_t function(std::initializer_list<uint8_t> body) {
    const uint64_t address = add(body);
    align();
    return address;
  }
  void apply(const Plan& plan) {
    for (const Write& write : plan.all_writes())
      std::ranges::copy(write.span(), bytes.begin() + static_cast<ptrdiff_t>(write.address - start_));
  }

  std::vector<uint8_t> bytes;

 private:
  uint64_t start_;
};

}  // namespace osp::patch
