#include "libosp/patch/site_patcher.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/log.h"
#include "libosp/patch/code_file.h"
#include "libosp/patch/cpuid.h"
#include "libosp/task/worker.h"

namespace osp::patch {
namespace {

// How often a site is caught before it is patched: by then it has cost as much as patching it does.
constexpr unsigned patch_at = 20;
// Which start in a file is worth to search it for cpuid, the first being 0.
constexpr uint32_t searched_at = 1;
// What a process does that forks more often than this is worth a look at what is in its own pages.
constexpr uint32_t few_forks = 2;
constexpr unsigned given_up = ~0U;
constexpr uintptr_t reach = 0x7fff'0000;  // of a long jump, less a page or so
constexpr size_t trampoline_page = 4096, most_copied = size_t{4} << 20;
constexpr uintptr_t bytes_before = 256, bytes_behind = 256;

bool are_near(uintptr_t a, uintptr_t b) { return (a > b ? a - b : b - a) < reach; }

bool is_private_code(const memory::Area& area) {
  return (area.protection & (PROT_READ | PROT_EXEC)) == (PROT_READ | PROT_EXEC) && (area.flags & MAP_SHARED) == 0;
}

bool is_code_of_file(const memory::Area& area) {
  return is_private_code(area) && area.backing != nullptr && area.backing->version != 0;
}

FileVersion version_of(const memory::Area& area) {
  return {area.backing->device, area.backing->inode, area.backing->version};
}

Code code_of(const memory::Area& area) {
  return {area.start, Bytes(reinterpret_cast<const uint8_t*>(area.start), area.end - area.start)};
}

KnownFile* known_file_of(const memory::Area& area) {
  KnownFile* file = is_code_of_file(area) ? KnownSites::find(version_of(area)) : nullptr;
  return file != nullptr && file->size() != 0 ? file : nullptr;
}

// Where the mappings of the file that end with `area` begin.
uintptr_t start_of_span(const memory::AddressSpace& memory, const memory::Area& area) {
  uintptr_t start = area.start;
  for (const memory::Area* below = memory.find(start - 1); below != nullptr && below->backing == area.backing;
       below = memory.find(start - 1))
    start = below->start;
  return start;
}

// How often a file has been mapped when it is worth a copy, or another: that costs as much as some tens of processes.
uint32_t copied_at(unsigned copies) { return uint32_t{6} << 2 * copies; }

bool has_news(const KnownFile& file) {
  for (size_t i = 0; i < file.size(); ++i)
    if (const KnownSite known = file.at(i); known.generation == 0 && known.state != KnownSite::State::refused)
      return true;
  return false;
}

void search_for_cpuid(const memory::Area& area) {
  constexpr uint8_t cpuid[] = {0x0f, 0xa2};
  KnownFile* file = is_code_of_file(area) ? KnownSites::of(version_of(area)) : nullptr;
  if (file == nullptr || file->count_start() != searched_at) return;
  const CodeFile::Writing writing;
  const Bytes bytes = code_of(area).bytes;
  for (auto at = bytes.begin();; at += sizeof cpuid) {
    at = std::search(at, bytes.end(), std::begin(cpuid), std::end(cpuid));
    if (at == bytes.end()) return;
    file->add(static_cast<uint64_t>(at - bytes.begin()) + area.offset);
  }
}

}  // namespace

void SitePatcher::caught(uintptr_t rip) {
  if (suspended_) return;
  const uintptr_t site = rip - 2;
  unsigned& count = seen_[site];
  if (count == given_up) return;
  if (count == 0) learn(site);
  if (++count < patch_at) return;
  count = given_up;
  patch(site);
}

void SitePatcher::learn(uintptr_t site) {
  const memory::Area* area = memory_.find(site);
  if (area == nullptr || !is_code_of_file(*area)) return;
  if (KnownFile* file = KnownSites::of(version_of(*area))) file->add(site - area->start + area->offset);
}

void SitePatcher::mapped(uintptr_t start, size_t size) {
  if (suspended_) return;
  const auto& areas = memory_.areas();
  for (auto at = areas.lower_bound(start); at != areas.end() && at->first < start + size; ++at) {
    KnownFile* file = known_file_of(at->second);
    if (file == nullptr) continue;
    const bool is_new = at->second.end <= memory::page_up(start + size);
    if (is_new) map_copy(*file, at->second);
    patch_known(*file, at->second, When::mapped);
  }
}

// A copy is for code that is not the beginning of its file's mapping: by that the host tells us the file's name.
void SitePatcher::map_copy(KnownFile& file, const memory::Area& area) {
  const uintptr_t span = start_of_span(memory_, area);
  const bool is_due = file.count_mapping() >= copied_at(file.last_copy()) && has_news(file);
  const memory::Area* beginning = memory_.find(span);
  if (span == area.start || area.end - area.start > most_copied) return;
  if (beginning->offset != 0 || (beginning->protection & PROT_READ) == 0) return;
  if (is_due) file.make_copy(code_of(area), area.offset, span);
  copies_.map(area, file);
}

void SitePatcher::mapped_loader(uintptr_t start, size_t size) {
  const auto& areas = memory_.areas();
  for (auto at = areas.lower_bound(start); at != areas.end() && at->first < start + size; ++at)
    search_for_cpuid(at->second);
  mapped(start, size);
}

void SitePatcher::forking() {
  ++forks_;
  if (suspended_) return;
  const uint32_t changes = KnownSites::changes();
  if (std::exchange(changes_, changes) == changes) return;
  task::workers().stop_the_world();
  for (const auto& [start, area] : memory_.areas()) {
    KnownFile* file = known_file_of(area);
    if (file == nullptr) continue;
    if (forks_ > few_forks && task::workers().is_one() && !is_copy(start)) replace_by_copy(*file, area);
    patch_known(*file, area, When::forking);
  }
}

// Nobody runs the code: there is one worker, which is here, and where threads stopped has gone through original_rip().
void SitePatcher::replace_by_copy(const KnownFile& file, const memory::Area& area) {
  const bool is_advised = area.dont_fork || area.dont_dump || area.wipe_on_fork || area.sealed;
  if (is_advised || start_of_span(memory_, area) == area.start) return;
  const auto is_here = [&](const Plan& plan) { return plan.site.at >= area.start && plan.site.at < area.end; };
  std::vector<Plan> own;
  for (const auto& [at, plan] : patched_)
    if (is_here(plan)) own.push_back(plan);
  if (!copies_.replace(area, file, own)) return;
  for (const Plan& plan : own) {
    seen_.erase(plan.site.at);
    paddings_.erase(plan.site.padding.address);
    patched_.erase(plan.trampoline.address);
  }
}

bool SitePatcher::is_done(uintptr_t site, const KnownSite& known) const {
  if (known.generation != 0 && known.generation <= copies_.generation_at(site)) return true;
  const auto seen = seen_.find(site);
  return seen != seen_.end() && seen->second == given_up;
}

void SitePatcher::patch_known(KnownFile& file, const memory::Area& area, When when) {
  const Code code = code_of(area);
  CodeWriter writer(memory_);
  writer.expect(area.start, code.bytes.size());
  patch_examined(file, code, area.start - area.offset, when, writer);
  examine_and_patch(file, code, area.start - area.offset, writer);
}

// A cpuid is for what starts, and may take two instructions, between which a thread may be.
void SitePatcher::patch_examined(KnownFile& file, const Code& code, uint64_t distance, When when, CodeWriter& writer) {
  for (size_t i = 0; i < file.size(); ++i) {
    const KnownSite known = file.at(i);
    if (known.state != KnownSite::State::ready || is_done(known.offset + distance, known)) continue;
    const auto site = known.in(code, known.offset + distance);
    if (site && (when == When::mapped || site->kind == Kind::syscall)) install(*site, writer);
  }
}

// After those that are known: what is examined sees what they have written.
void SitePatcher::examine_and_patch(KnownFile& file, const Code& code, uint64_t distance, CodeWriter& writer) {
  std::optional<CodeFile::Writing> writing;
  for (size_t i = 0; i < file.size(); ++i) {
    const KnownSite known = file.at(i);
    const uint64_t address = known.offset + distance;
    const bool is_new = known.state == KnownSite::State::unexamined && !is_done(address, known);
    if (!is_new || !code.contains(address, site_size)) continue;
    if (!writing) writing.emplace();
    const auto site = examine(code, address);
    file.set(i, KnownSite::of(site, known.offset));
    if (site) {
      install(*site, writer);
    } else {
      give_up(address, describe(site.error()));
    }
  }
}

// What is left of a patch whose other part is gone would lead there.
void SitePatcher::forget(uintptr_t start, size_t size) {
  start = memory::page_down(start);
  const uintptr_t end = memory::page_up(start + size);
  adopt_all(copies_.take_plans(start, end));
  copies_.forget(start, end);
  seen_.erase(seen_.lower_bound(start), seen_.lower_bound(end));
  const auto is_gone = [&](const Write& write) { return write.address >= start && write.address < end; };
  CodeWriter writer(memory_);
  std::erase_if(patched_, [&](const auto& entry) {
    const auto writes = entry.second.all_writes();
    if (std::ranges::none_of(writes, is_gone)) return false;
    for (const Write& write : writes)
      if (!is_gone(write)) writer.write(write.address, Bytes(write.before).first(write.size));
    paddings_.erase(entry.second.site.padding.address);
    return true;
  });
}

void SitePatcher::forget_unforked() {
  for (const auto& [start, area] : memory_.areas())
    if (area.dont_fork && is_private_code(area)) forget(start, area.end - start);
}

void SitePatcher::undo(const Plan& plan, CodeWriter& writer) const {
  for (const Write& write : plan.all_writes()) writer.write(write.address, Bytes(write.before).first(write.size));
}

void SitePatcher::give_back(uintptr_t start, size_t size) {
  const uintptr_t end = memory::page_up(start + size);
  adopt_all(copies_.take_plans(start, end));
  task::workers().stop_the_world();
  CodeWriter writer(memory_);
  for (const auto& [at, plan] : std::views::reverse(patched_))
    if (plan.site.at >= start && plan.site.at < end) undo(plan, writer);
  forget(start, size);
}

void SitePatcher::forget_all() {
  seen_.clear();
  patched_.clear();
  paddings_.clear();
  copies_.forget_all();
  pages_.clear();
  cpuid_routine_ = 0;
}

void SitePatcher::adopt(const Plan& plan) {
  patched_.insert_or_assign(plan.trampoline.address, plan);
  if (plan.site.padding.size != 0) paddings_[plan.site.padding.address] = plan.trampoline.address;
}

void SitePatcher::adopt_all(const std::vector<Plan>& plans) {
  for (const Plan& plan : plans) adopt(plan);
}

void SitePatcher::leave() {
  adopt_all(copies_.take_all_plans());
  KnownSites::leave();
}

// The trampolines stay, and what is known of them: a thread may be in one.
void SitePatcher::suspend() {
  suspended_ = true;
  task::workers().stop_the_world();
  adopt_all(copies_.take_all_plans());
  CodeWriter writer(memory_);
  for (const auto& [at, plan] : std::views::reverse(patched_)) undo(plan, writer);
  seen_.clear();
}

// A copy's Plans are needed where the program may be in one of its jumps.
uintptr_t SitePatcher::original_rip(uintptr_t rip) {
  adopt_all(copies_.take_plans(rip, rip + 1));
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
  task::workers().stop_the_world();
  CodeWriter writer(memory_);
  if (const char* why = install(*examined, writer)) give_up(site, why);
}

// Nobody runs the code meanwhile.
const char* SitePatcher::install(const Site& site, CodeWriter& writer) {
  const uintptr_t at = room_near(site.at, trampoline_size(site));
  Ends ends;
  if (site.kind == Kind::cpuid) ends.cpuid_routine = cpuid_routine_near(site.at, writer);
  if (at == 0 || (site.kind == Kind::cpuid && ends.cpuid_routine == 0))
    return "there is no room for a trampoline near it";
  seen_[site.at] = given_up;
  auto plan = make_plan(site, at, ends);
  if (!plan) return "what it refers to is too far from its trampoline";
  const auto can_write = [&](const Write& write) { return writer.open(write.address, write.size); };
  if (!writer.open(at, plan->trampoline.size) || !std::ranges::all_of(plan->all_writes(), can_write))
    return "the host does not let it be written";
  writer.write(at, Bytes(plan->trampoline.bytes).first(plan->trampoline.size));
  for (Write& write : std::span(plan->writes).first(plan->write_count)) {
    std::copy_n(reinterpret_cast<const uint8_t*>(write.address), write.size, write.before.begin());
    writer.write(write.address, write.span());
  }
  adopt(*plan);
  return nullptr;
}

uintptr_t SitePatcher::cpuid_routine_near(uintptr_t site, CodeWriter& writer) {
  if (cpuid_routine_ != 0 && are_near(cpuid_routine_, site)) return cpuid_routine_;
  const auto answers = KnownSites::cpuid_answers();
  std::vector<uint8_t> routine(cpuid_routine_size(answers));
  write_cpuid_routine(answers, routine);
  cpuid_routine_ = room_near(site, routine.size());
  if (cpuid_routine_ != 0) writer.write(cpuid_routine_, routine);
  return cpuid_routine_;
}

uintptr_t SitePatcher::room_near(uintptr_t site, size_t size) {
  auto page = std::find_if(pages_.begin(), pages_.end(),
                           [&](const Page& p) { return are_near(p.start, site) && p.used + size <= trampoline_page; });
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
