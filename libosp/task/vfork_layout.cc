#include "libosp/task/vfork_layout.h"

#include <algorithm>

#include "base/log.h"
#include "libosp/patch/site_patcher.h"
#include "libosp/task/process.h"

namespace osp::task {
namespace {

bool overlap(const Mapping& a, const Mapping& b) { return a.start < b.end && b.start < a.end; }

// The parts of `whole` that none of `others` covers; they are in order.
std::vector<Mapping> without(const Mapping& whole, const std::vector<Mapping>& others) {
  std::vector<Mapping> rest;
  uintptr_t at = whole.start;
  const auto add = [&](uintptr_t end) {
    if (at < end) rest.push_back({at, end, whole.protection, whole.anonymous});
  };
  for (const Mapping& other : others) {
    if (!overlap(whole, other)) continue;
    add(other.start);
    at = std::max(at, other.end);
  }
  add(whole.end);
  return rest;
}

void map_anew(memory::AddressSpace& memory, const Mapping& part) {
  const size_t size = part.end - part.start;
  if (part.anonymous != 0 &&
      memory.map(part.start, size, part.protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, nullptr))
    return;
  log::warn("fork", "what the child of vfork mapped at {:#x} is not its parent's", part.start);
}

void unmap(Process& parent, const Mapping& gone) {
  parent.patcher->forget(gone.start, gone.end - gone.start);
  if (!parent.memory.unmap(gone.start, gone.end - gone.start))
    log::warn("fork", "what the child of vfork unmapped at {:#x} is still its parent's", gone.start);
}

void protect_again(memory::AddressSpace& memory, const Mapping& now, const std::vector<Mapping>& before) {
  for (const Mapping& old : before) {
    if (!overlap(now, old) || old.protection == now.protection) continue;
    const uintptr_t start = std::max(old.start, now.start), end = std::min(old.end, now.end);
    if (!memory.protect(start, end - start, now.protection))
      log::warn("fork", "what the child of vfork protected at {:#x} is not so in its parent", start);
  }
}

}  // namespace

Layout layout_of(const memory::AddressSpace& memory) {
  Layout layout{.break_end = memory.break_end(), .mappings = {}};
  for (const auto& [start, area] : memory.areas()) {
    if (area.use == memory::Use::heap || area.use == memory::Use::trampolines || area.dont_fork) continue;
    const bool anonymous = (area.flags & MAP_PRIVATE) != 0 && area.backing == nullptr;
    layout.mappings.push_back({start, area.end, area.protection, anonymous ? 1 : 0});
  }
  return layout;
}

void take_layout(Process& parent, const Layout& child) {
  memory::AddressSpace& memory = parent.memory;
  const Layout own = layout_of(memory);
  if (own.break_end != child.break_end) memory.set_break(child.break_end);
  for (const Mapping& mapping : own.mappings)
    for (const Mapping& gone : without(mapping, child.mappings)) unmap(parent, gone);
  for (const Mapping& mapping : child.mappings) {
    protect_again(memory, mapping, own.mappings);
    for (const Mapping& made : without(mapping, own.mappings)) map_anew(memory, made);
  }
}

}  // namespace osp::task
