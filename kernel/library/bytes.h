#pragma once

#include <cstddef>
#include <cstdint>

// What the compiler calls by itself, and nothing else of libc's.
extern "C" {
void* memcpy(void* to, const void* from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* one, const void* other, size_t size);
}

namespace osp::kernel {

inline constexpr uint64_t page_size = 4096;

constexpr uint64_t page_down(uint64_t address) { return address & ~(page_size - 1); }
constexpr uint64_t page_up(uint64_t address) { return page_down(address + page_size - 1); }
constexpr bool page_aligned(uint64_t address) { return address % page_size == 0; }

// `page` is the start of a page.
inline void clear_page(void* page) {
  uint64_t count = page_size / 8;
  asm volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(uint64_t{0}) : "memory");
}

inline void copy_page(void* to, const void* from) {
  uint64_t count = page_size / 8;
  asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

}  // namespace osp::kernel
