// io_setup(2) and its family: the host's. Its ring of events lies in the program's memory, where the host put it.
#include <sys/mman.h>

#include "libosp/host/maps.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"

namespace osp::linux {
namespace {

// Where the host has mapped the ring that a context is known by.
memory::Area ring_at(uint64_t context) {
  memory::Area area;
  (void)host::each_mapping([&](const host::MapsLine& line) {
    if (line.range.start == context) area.start = line.range.start, area.end = line.range.end;
  });
  area.protection = PROT_READ | PROT_WRITE, area.flags = MAP_SHARED;
  area.dont_fork = true;
  area.backing = std::make_shared<memory::Backing>();
  area.backing->path = "/[aio] (deleted)";
  return area;
}

}  // namespace

long sys_io_setup(Call& c) {
  const long result = forward(c);
  uint64_t context = 0;
  if (result != 0 || !get(c.b, context)) return result;
  const memory::Area area = ring_at(context);
  if (area.start != 0) c.process.memory.replace(area);
  return 0;
}

long sys_io_destroy(Call& c) {
  const memory::Area* found = c.process.memory.find(c.a);
  const size_t size = found != nullptr && found->start == c.a ? found->end - found->start : 0;
  const long result = forward(c);
  if (result == 0 && size != 0) (void)c.process.memory.unmap(c.a, size);
  return result;
}

}  // namespace osp::linux
