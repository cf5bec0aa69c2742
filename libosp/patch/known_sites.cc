#include "libosp/patch/known_sites.h"

#include <sys/mman.h>

#include <algorithm>

#include "libosp/host/window.h"

namespace osp::patch {
namespace {

constexpr uint32_t most_pages = 1 << 14;
constexpr size_t file_count = 64, most_answers = 64;

// What is used lies together at the beginning: each page costs the first process a microsecond.
struct Shared {
  std::atomic<uint32_t> changes;
  std::atomic<uint32_t> pages_taken;        // of the code file
  std::atomic<uint64_t> names[file_count];  // of the files, in the order in which they came; 0: no more
  KnownFile files[file_count];
  std::atomic<uint32_t> answers_taken, answer_count;  // the count is 0 until they are there
  CpuidAnswer answers[most_answers];
};

Shared* shared = nullptr;

uint64_t name_of(const FileVersion& version) {
  constexpr uint64_t odd = 0x9e37'79b9'7f4a'7c15;
  uint64_t name = version.device;
  for (const uint64_t part : {version.inode, version.version}) name = (name ^ name >> 29) * odd + part;
  return (name ^ name >> 32) | 1;
}

// Where its fields are, by the lowest bit.
constexpr unsigned state_at = 0, padding_at = 2, displaced_at = 8, displacement_at = 12, distance_at = 16,
                   generation_at = 28, offset_at = 32;
constexpr uint64_t most_offset = 0xffff'ffff, distance_mask = 0xfff;
constexpr int distance_bits = 12;

uint64_t pack(const KnownSite& site) {
  return static_cast<uint64_t>(site.state) << state_at | uint64_t{site.padding_size} << padding_at |
         uint64_t{site.displaced_size} << displaced_at | uint64_t{site.displacement_offset} << displacement_at |
         (static_cast<uint64_t>(site.padding_distance) & distance_mask) << distance_at |
         uint64_t{site.generation} << generation_at | site.offset << offset_at;
}

int signed_distance(uint64_t field) {
  const int value = static_cast<int>(field);
  return (value >> (distance_bits - 1)) != 0 ? value - (1 << distance_bits) : value;
}

// Instructions one after the other, none of which is a jump, which it would be to a trampoline.
bool are_whole(Bytes bytes) {
  while (!bytes.empty()) {
    const auto instruction = decode(bytes);
    if (!instruction || instruction->flow != Flow::next) return false;
    bytes = bytes.subspan(instruction->length);
  }
  return true;
}

KnownSite unpack(uint64_t word) {
  return {.state = static_cast<KnownSite::State>(word >> state_at & 3),
          .offset = word >> offset_at,
          .displaced_size = static_cast<uint8_t>(word >> displaced_at & 0xf),
          .displacement_offset = static_cast<uint8_t>(word >> displacement_at & 0xf),
          .padding_distance = signed_distance(word >> distance_at & distance_mask),
          .padding_size = static_cast<uint8_t>(word >> padding_at & 0x3f),
          .generation = static_cast<uint8_t>(word >> generation_at & 0xf)};
}

}  // namespace

KnownSite KnownSite::of(const std::expected<Site, Refusal>& examined, uint64_t offset) {
  if (!examined) return {.state = State::refused, .offset = offset};
  const Site& site = *examined;
  const bool padded = site.padding.size != 0;
  return {.state = State::ready,
          .offset = offset,
          .displaced_size = site.displaced_size,
          .displacement_offset = site.displacement_offset,
          .padding_distance = padded ? static_cast<int>(site.padding.address - site.displaced) : 0,
          .padding_size = site.padding.size};
}

std::optional<Site> KnownSite::in(const Code& code, uint64_t address) const {
  const auto kind = kind_at(code, address);
  Site site;
  site.at = address, site.displaced = address - displaced_size;
  if (!kind || !code.contains(site.displaced, displaced_size)) return std::nullopt;
  if (!are_whole(code.from(site.displaced).first(displaced_size))) return std::nullopt;
  site.kind = *kind;
  site.displaced_size = displaced_size, site.displacement_offset = displacement_offset;
  std::ranges::copy(code.from(site.displaced).first(displaced_size), site.displaced_bytes.begin());
  if (padding_size == 0) return site;
  site.padding = {site.displaced + static_cast<uint64_t>(int64_t{padding_distance}), padding_size};
  if (!is_padding(code, site.padding)) return std::nullopt;
  return site;
}

void KnownFile::add(uint64_t offset) {
  const size_t known = size();
  for (size_t i = 0; i < known; ++i)
    if (at(i).offset == offset) return;
  if (offset > most_offset || known == most_sites) return;
  const uint32_t index = count_.fetch_add(1, std::memory_order_relaxed);
  if (index < most_sites) set(index, {.offset = offset});
  shared->changes.fetch_add(1, std::memory_order_release);
}

size_t KnownFile::size() const { return std::min<size_t>(count_.load(std::memory_order_acquire), most_sites); }
KnownSite KnownFile::at(size_t index) const { return unpack(sites_[index].load(std::memory_order_acquire)); }
void KnownFile::set(size_t index, const KnownSite& site) { sites_[index].store(pack(site), std::memory_order_release); }

void KnownFile::make_copy(const Code& code, uint64_t file_offset, uint64_t span) {
  const unsigned last = last_copy();
  if (last == most_copies || CodeFile::fd() < 0 || copying_.exchange(1, std::memory_order_acquire) != 0) return;
  if (last == last_copy()) {
    const auto copy = copy_code(*this, code, file_offset, span, last + 1);
    if (copy) {
      copies_[last] = *copy;
      copy_count_.store(last + 1, std::memory_order_release);
      shared->changes.fetch_add(1, std::memory_order_release);
    }
  }
  copying_.store(0, std::memory_order_release);
}

std::optional<uint32_t> KnownSites::take_pages(uint32_t count) {
  if (shared == nullptr || shared->pages_taken.load() + count > most_pages) return std::nullopt;
  const uint32_t first = shared->pages_taken.fetch_add(count);
  if (first + count > most_pages) return std::nullopt;
  return first;
}

void KnownSites::leave() {
  if (shared != nullptr) window::unmap(reinterpret_cast<uintptr_t>(shared), sizeof(Shared));
  shared = nullptr;
  CodeFile::close();
}

void KnownSites::prepare() {
  const long at = window::map(sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at > 0) shared = reinterpret_cast<Shared*>(at);
}

KnownFile* KnownSites::of(const FileVersion& version) {
  const uint64_t name = name_of(version);
  for (size_t i = 0; shared != nullptr && i < file_count; ++i) {
    uint64_t there = shared->names[i].load(std::memory_order_acquire);
    if (there == name) return &shared->files[i];
    if (there == 0 && (shared->names[i].compare_exchange_strong(there, name) || there == name))
      return &shared->files[i];
  }
  return nullptr;
}

KnownFile* KnownSites::find(const FileVersion& version) {
  const uint64_t name = name_of(version);
  for (size_t i = 0; shared != nullptr && i < file_count; ++i) {
    const uint64_t there = shared->names[i].load(std::memory_order_acquire);
    if (there == name) return &shared->files[i];
    if (there == 0) return nullptr;
  }
  return nullptr;
}

uint32_t KnownSites::changes() { return shared == nullptr ? 0 : shared->changes.load(std::memory_order_acquire); }

std::span<const CpuidAnswer> KnownSites::cpuid_answers() {
  if (shared == nullptr) return patch::cpuid_answers();
  if (const uint32_t count = shared->answer_count.load(std::memory_order_acquire); count != 0)
    return std::span(shared->answers).first(count);
  const auto answers = patch::cpuid_answers();
  if (answers.size() > most_answers || shared->answers_taken.exchange(1) != 0) return answers;
  std::ranges::copy(answers, shared->answers);
  shared->answer_count.store(static_cast<uint32_t>(answers.size()), std::memory_order_release);
  return answers;
}

}  // namespace osp::patch
