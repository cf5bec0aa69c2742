#include "libosp/host/window.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace osp {
namespace {

constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr size_t page = 4096;

uintptr_t map(size_t size) { return static_cast<uintptr_t>(window::map(size, PROT_READ | PROT_WRITE, flags, -1, 0)); }

TEST(Window, LiesCloseToTheImageFirst) {
  const uintptr_t at = map(page);
  EXPECT_GE(at, window::near_heap);
  EXPECT_LT(at, window::near_heap_end);
  EXPECT_EQ(window::unmap(at, page), 0);
}

TEST(Window, WhatIsTooLargeForThatLiesInTheOtherHeap) {
  constexpr size_t size = window::near_heap_end - window::near_heap;
  const uintptr_t small = map(page), large = map(size);
  EXPECT_GE(large, window::heap);
  EXPECT_LT(large, window::end);
  EXPECT_EQ(window::unmap(large, size), 0);
  EXPECT_EQ(map(size), large);  // it has been given back
  EXPECT_EQ(window::unmap(large, size), 0);
  EXPECT_EQ(window::unmap(small, page), 0);
}

TEST(Window, WhatIsUnmappedIsUsedAgain) {
  const uintptr_t first = map(4 * page), second = map(page);
  EXPECT_EQ(window::unmap(first, 4 * page), 0);
  EXPECT_EQ(map(2 * page), first);
  EXPECT_EQ(map(2 * page), first + 2 * page);
  EXPECT_EQ(window::unmap(first, 4 * page), 0);
  EXPECT_EQ(window::unmap(second, page), 0);
  EXPECT_EQ(map(page), first);
}

// The core's image, say: nobody gets it afterwards.
TEST(Window, WhatIsOfNoHeapIsOnlyUnmapped) {
  EXPECT_EQ(window::unmap(window::image, page), 0);
  EXPECT_NE(map(page), window::image);
}

}  // namespace
}  // namespace osp
