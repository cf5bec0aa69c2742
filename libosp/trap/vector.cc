#include "libosp/trap/vector.h"

#include <cpuid.h>

#include <cstdlib>
#include <cstring>

namespace osp::trap::vector {
namespace {

constexpr uint64_t sse = 2;
constexpr size_t mxcsr_offset = 24;
constexpr size_t header_offset = 512;

struct Layout {
  size_t size = 0;
  uint64_t components = 0;
};

// Read at each switch between threads, so it is no static of a function, which each reading would have to test.
constinit Layout layout;

void find_layout() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __cpuid_count(0xd, 0, a, b, c, d);
  layout.size = b;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  layout.components = low | static_cast<uint64_t>(high) << 32;
}

}  // namespace

size_t area_size() {
  if (layout.size == 0) find_layout();
  return layout.size;
}
uint64_t components() {
  if (layout.size == 0) find_layout();
  return layout.components;
}

std::byte* make_area() {
  const size_t size = (area_size() + 63) & ~size_t{63};
  auto* area = static_cast<std::byte*>(std::aligned_alloc(64, size));
  if (area == nullptr) std::abort();
  std::memset(area, 0, size);
  const uint32_t mxcsr = 0x1f80;
  std::memcpy(area + mxcsr_offset, &mxcsr, sizeof mxcsr);
  const uint16_t x87_control = 0x37f;
  std::memcpy(area, &x87_control, sizeof x87_control);
  const uint64_t present = sse;  // xmm0–15 are always written by the entry code
  std::memcpy(area + header_offset, &present, sizeof present);
  return area;
}

void release(std::byte* area) { std::free(area); }

void save(std::byte* area) {
  const uint64_t mask = layout.components & ~sse;
  asm volatile("xsave64 (%0)"
               :
               : "r"(area), "a"(static_cast<uint32_t>(mask)), "d"(static_cast<uint32_t>(mask >> 32))
               : "memory");
  // With SSE masked out and AVX not enabled, XSAVE leaves MXCSR alone.
  asm volatile("stmxcsr %0" : "=m"(*reinterpret_cast<uint32_t*>(area + mxcsr_offset)));
}

void load(const std::byte* area) {
  const uint64_t mask = layout.components;
  asm volatile("xrstor64 (%0)"
               :
               : "r"(area), "a"(static_cast<uint32_t>(mask)), "d"(static_cast<uint32_t>(mask >> 32))
               : "memory");
}

}  // namespace osp::trap::vector
