#pragma once

#include <cstdint>
#include <vector>

#include "libosp/memory/address_space.h"

// vfork(2): what its child maps, unmaps and protects is the parent's too; malloc(3) in the child may move the break.
namespace osp::task {

// A piece of memory that a child of fork has. No padding: it goes through a pipe, and is compared as bytes are.
struct Mapping {
  uintptr_t start = 0, end = 0;
  int protection = 0;
  int anonymous = 0;  // private and of no file
  bool operator==(const Mapping&) const = default;
};

struct Layout {
  uintptr_t break_end = 0;
  std::vector<Mapping> mappings;  // in order; without the heap, trampolines, and what fork(2) does not give a child
  bool operator==(const Layout&) const = default;
};

Layout layout_of(const memory::AddressSpace& memory);

class Process;

// Makes the parent's memory what the child's has become. Memory of a file, or shared with others, that the child has
// mapped anew is not brought over: that is logged.
void take_layout(Process& parent, const Layout& child);

}  // namespace osp::task
