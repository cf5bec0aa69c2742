#include "libosp/patch/site_patcher.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/task/worker.h"

namespace osp::patch {
namespace {

// How often a site is caught before it is patched: by then it has cost as much as patching it does.
constexpr unsigned patch_at = 20;
constexpr unsigned given_up = ~0U;
constexpr uintptr_t reach = 0x7fff'0000;  // of a long jump, less a page or so
constexpr size_t trampoline_page = 4096;
constexpr uintptr_t bytes_before = 256, bytes_behind = 256;

// Writes to the program's code, whatever its protection.
void write_code(const memory::AddressSpace& memory, uintptr_t at, Bytes bytes) {
  const memory::Area* area = memory.find(at);
  if (area == nullptr) return;
  const uintptr_t start = memory::page_down(at), size = memory::page_up(at + bytes.size()) - start;
  const bool writable = (area->protection & PROT_WRITE) != 0;
  if (!writable) raw::syscall(SYS_mprotect, start, size, area->protection | PROT_WRITE);
  std::memcpy(reinterpret_cast<void*>(at), bytes.data(), bytes.size());
  if (!writable) raw::syscall(SYS_mprotect, start, size, area->protection);
}

}  // namespace

void SitePatcher::caught(uintptr_t rip) {
  if (suspended_) return;
  const uintptr_t site = rip - 2;
  unsigned& count = seen_[site];
  if (count == given_up || ++count < patch_at) return;
  count = given_up;
  patch(site);
}

void SitePatcher::forget(uintptr_t start, size_t size) {
  seen_.erase(seen_.lower_bound(start), seen_.lower_bound(start + size));
  const auto gone = [&](uintptr_t address) { return address >= start && address - start < size; };
  std::erase_if(paddings_, [&](const auto& entry) { return gone(entry.first); });
  std::erase_if(patched_, [&](const auto& entry) { return gone(entry.second.site.syscall); });
  before_.erase(before_.lower_bound(start), before_.lower_bound(start + size));
}

void SitePatcher::forget_all() {
  seen_.clear();
  patched_.clear();
  paddings_.clear();
  before_.clear();
  pages_.clear();
}

// The trampolines stay, and what is known of them: a thread may be in one.
void SitePatcher::suspend() {
  suspended_ = true;
  task::workers().stop_the_world();
  for (const auto& [at, bytes] : before_) write_code(memory_, at, bytes);
  seen_.clear();
  before_.clear();
}

uintptr_t SitePatcher::original_rip(uintptr_t rip) const {
  const auto padding = paddings_.find(rip);
  auto found = padding != paddings_.end() ? patched_.find(padding->second) : patched_.upper_bound(rip);
  if (padding == paddings_.end()) {
    if (found == patched_.begin()) return rip;
    --found;
  }
  return found == patched_.end() ? rip : patch::original_rip(found->second, rip);
}

void SitePatcher::give_up(uintptr_t site, const char* why) const {
  if (!log::enabled("patch", log::Level::debug)) return;
  memory_.name_backings();
  const memory::Area* area = memory_.find(site);
  const bool named = area != nullptr && area->backing != nullptr;
  log::debug("patch", "the call at {:#x} ({}+{:#x}) stays slow: {}", site, named ? area->backing->path : "anonymous",
             area != nullptr ? site - area->start + area->offset : 0, why);
}

void SitePatcher::patch(uintptr_t site) {
  const memory::Area* area = memory_.find(site);
  if (area == nullptr || (area->protection & PROT_READ) == 0 || (area->flags & MAP_SHARED) != 0)
    return give_up(site, "its memory is shared or cannot be read");
  const uintptr_t from = std::max(area->start, site - bytes_before), to = std::min(area->end, site + bytes_behind);
  const Code code{from, Bytes(reinterpret_cast<const uint8_t*>(from), to - from)};
  const auto examined = examine(code, site);
  if (!examined) return give_up(site, describe(examined.error()));
  const uintptr_t at = trampoline_near(site, trampoline_size(*examined));
  if (at == 0) return give_up(site, "there is no room for a trampoline near it");
  const auto plan = make_plan(*examined, at);
  if (!plan) return give_up(site, "what it refers to is too far from its trampoline");
  task::workers().stop_the_world();
  write_code(memory_, at, Bytes(plan->trampoline.bytes).first(plan->trampoline.size));
  for (const Write& write : plan->all_writes()) {
    const auto* old = reinterpret_cast<const uint8_t*>(write.address);
    before_[write.address].assign(old, old + write.size);
    write_code(memory_, write.address, write.span());
  }
  patched_.insert_or_assign(at, *plan);
  if (plan->site.padding.size != 0) paddings_[plan->site.padding.address] = at;
}

uintptr_t SitePatcher::trampoline_near(uintptr_t site, size_t size) {
  const auto near = [site](const Page& page) {
    const uintptr_t distance = page.start > site ? page.start - site : site - page.start;
    return distance < reach;
  };
  auto page = std::find_if(pages_.begin(), pages_.end(),
                           [&](const Page& p) { return near(p) && p.used + size <= trampoline_page; });
  if (page == pages_.end()) {
    const uintptr_t start = memory_.free_near(site, trampoline_page, reach);
    if (start == 0) return 0;
    const auto mapped =
        memory_.map(start, trampoline_page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                    -1, 0, nullptr, memory::Use::trampolines);
    if (!mapped) return 0;
    page = pages_.insert(pages_.end(), {start, 0});
  }
  const uintptr_t at = page->start + page->used;
  page->used += (size + 15) & ~size_t{15};
  return at;
}

}  // namespace osp::patch
