#include "libosp/patch/code_copy.h"

#include <sys/mman.h>

#include <cstring>
#include <span>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"
#include "libosp/memory/address_space.h"
#include "libosp/patch/code_file.h"
#include "libosp/patch/cpuid.h"
#include "libosp/patch/known_sites.h"

namespace osp::patch {
namespace {

using memory::page_size;

constexpr size_t trampoline_alignment = 16;
// Where libraries are mapped one below the other, there is no room next to one; there is a gigabyte further down.
constexpr uint64_t far_below = uint64_t{1} << 30;

size_t pages_of(size_t bytes) { return memory::page_up(bytes) / page_size; }

// A part of the code file while it is written.
class Part {
 public:
  Part(uint32_t first_page, size_t pages)
      : size_(pages * page_size),
        at_(window::map(size_, PROT_READ | PROT_WRITE, MAP_SHARED, CodeFile::fd(), int64_t{first_page} * page_size)) {}
  ~Part() {
    if (at_ > 0) window::unmap(static_cast<uintptr_t>(at_), size_);
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  [[nodiscard]] bool is_mapped() const { return at_ > 0; }
  [[nodiscard]] std::span<uint8_t> bytes(size_t first_page, size_t pages) const {
    return {reinterpret_cast<uint8_t*>(at_) + first_page * page_size, pages * page_size};
  }

 private:
  size_t size_;
  long at_;
};

// Puts the patches into a copy of the code, as if it were where the code is.
class Copier {
 public:
  Copier(std::span<uint8_t> trampolines, uint64_t trampolines_at, std::span<uint8_t> code, uint64_t code_at)
      : trampolines_(trampolines), trampolines_at_(trampolines_at), copy_(code), code_{code_at, code} {}

  // The first `count` of the file's sites: others may note more meanwhile.
  void patch_all(const KnownFile& file, size_t count, uint64_t file_offset, unsigned generation) {
    for (const auto state : {KnownSite::State::ready, KnownSite::State::unexamined, KnownSite::State::refused})
      for (size_t i = 0; i < count; ++i) {
        KnownSite known = file.at(i);
        const uint64_t address = code_.start + known.offset - file_offset;
        if (known.state != state || known.offset < file_offset || !code_.contains(address, site_size)) continue;
        if (state == KnownSite::State::unexamined) known = KnownSite::of(examine(code_, address), known.offset);
        if (known.state == KnownSite::State::refused) known = KnownSite::of(examine_wide(code_, address), known.offset);
        if (const auto site = known.in(code_, address); known.state == KnownSite::State::ready && site && patch(*site))
          known.generation = known.generation == 0 ? static_cast<uint8_t>(generation) : known.generation;
        sites_.push_back({i, known});
      }
  }
  [[nodiscard]] const std::vector<Plan>& plans() const { return plans_; }
  [[nodiscard]] std::vector<CopiedSite>& sites() { return sites_; }

 private:
  // Room for `size` bytes among the trampolines; nothing: they are full.
  std::optional<size_t> take(size_t size) {
    const size_t at = used_;
    if (at + size > trampolines_.size()) return std::nullopt;
    used_ = (at + size + trampoline_alignment - 1) & ~(trampoline_alignment - 1);
    return at;
  }

  std::optional<uint64_t> cpuid_routine() {
    if (routine_) return routine_;
    const auto answers = KnownSites::cpuid_answers();
    const auto at = take(cpuid_routine_size(answers));
    if (!at) return std::nullopt;
    write_cpuid_routine(answers, trampolines_.subspan(*at));
    return routine_ = trampolines_at_ + *at;
  }

  bool patch(const Site& site) {
    Ends ends;
    if (site.kind == Kind::cpuid) {
      const auto routine = cpuid_routine();
      if (!routine) return false;
      ends.cpuid_routine = *routine;
    }
    const auto at = take(trampoline_size(site));
    if (!at) return false;
    auto plan = make_plan(site, trampolines_at_ + *at, ends);
    if (!plan) return false;
    std::memcpy(trampolines_.data() + *at, plan->trampoline.bytes.data(), plan->trampoline.size);
    for (Write& write : std::span(plan->writes).first(plan->write_count)) {
      uint8_t* const to = copy_.data() + (write.address - code_.start);
      std::memcpy(write.before.data(), to, write.size);
      std::memcpy(to, write.bytes.data(), write.size);
    }
    plans_.push_back(*plan);
    return true;
  }

  std::span<uint8_t> trampolines_;
  uint64_t trampolines_at_;
  std::span<uint8_t> copy_;
  Code code_;
  size_t used_ = 0;
  std::optional<uint64_t> routine_;
  std::vector<Plan> plans_;
  std::vector<CopiedSite> sites_;
};

// As many as there may be.
size_t trampoline_pages(size_t sites) {
  return pages_of(sites * (max_trampoline_size + trampoline_alignment) +
                  cpuid_routine_size(KnownSites::cpuid_answers()));
}

}  // namespace

uint64_t CodeCopy::span_of(uint64_t code) const { return code - before_code + far_below; }

uint64_t beginning_at(uint64_t span) {
  constexpr size_t compared = 1024;
  constexpr uint64_t odd = 0x9e37'79b9'7f4a'7c15;
  uint64_t number = 0;
  for (size_t at = 0; at < compared; at += sizeof number) {
    uint64_t word = 0;
    std::memcpy(&word, reinterpret_cast<const char*>(span) + at, sizeof word);
    number = (number ^ number >> 29) * odd + word;
  }
  return number;
}

std::optional<CodeCopy> copy_code(const KnownFile& file, const Code& code, uint64_t file_offset, uint64_t span,
                                  unsigned generation, std::vector<CopiedSite>& sites) {
  if (span < 2 * far_below) return std::nullopt;
  const size_t count = file.size();
  const size_t before = trampoline_pages(count), size = code.bytes.size() / page_size;
  const size_t plan_pages = pages_of(count * sizeof(Plan));
  const auto pages = static_cast<uint32_t>(before + size + plan_pages);
  const auto first = KnownSites::take_pages(pages);
  if (!first) return std::nullopt;
  if (!CodeFile::make_room(*first, pages)) {
    KnownSites::give_back_pages(*first, pages);
    return std::nullopt;
  }
  const Part part(*first, pages);
  if (!part.is_mapped()) return std::nullopt;
  const auto copy = part.bytes(before, size);
  std::memcpy(copy.data(), code.bytes.data(), code.bytes.size());
  const uint64_t trampolines_at = span - far_below;
  Copier copier(part.bytes(0, before), trampolines_at, copy, code.start);
  copier.patch_all(file, count, file_offset, generation);
  sites = std::move(copier.sites());
  const auto& plans = copier.plans();
  std::memcpy(part.bytes(before + size, plan_pages).data(), plans.data(), plans.size() * sizeof(Plan));
  return CodeCopy{.first_page = *first,
                  .trampoline_pages = static_cast<uint32_t>(before),
                  .code_pages = static_cast<uint32_t>(size),
                  .plan_count = static_cast<uint32_t>(plans.size()),
                  .file_offset = file_offset,
                  .before_code = code.start - trampolines_at,
                  .made_at = code.start,
                  .beginning = beginning_at(span)};
}

std::vector<Plan> plans_of(const CodeCopy& copy, uint64_t start) {
  std::vector<Plan> plans(copy.plan_count);
  const uint64_t at = (uint64_t{copy.first_page} + copy.trampoline_pages + copy.code_pages) * page_size;
  const auto size = static_cast<long>(plans.size() * sizeof(Plan));
  if (CodeFile::fd() < 0 || raw::syscall(SYS_pread64, CodeFile::fd(), plans.data(), size, at) != size) return {};
  for (Plan& plan : plans) plan = plan.moved(start - copy.made_at);
  return plans;
}

}  // namespace osp::patch
