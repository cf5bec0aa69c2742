#include "libosp/patch/known_sites.h"

#include <sys/mman.h>

#include <algorithm>

#include "libosp/host/window.h"

namespace osp::patch {
namespace {

constexpr size_t file_count = 64, probes = 8, most_answers = 64;

struct Shared {
  KnownFile files[file_count];
  std::atomic<uint32_t> changes;
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
                   offset_at = 32;
constexpr uint64_t most_offset = 0xffff'ffff;

uint64_t pack(const KnownSite& site) {
  return static_cast<uint64_t>(site.state) << state_at | uint64_t{site.padding_size} << padding_at |
         uint64_t{site.displaced_size} << displaced_at | uint64_t{site.displacement_offset} << displacement_at |
         uint64_t{static_cast<uint16_t>(site.padding_distance)} << distance_at | site.offset << offset_at;
}

KnownSite unpack(uint64_t word) {
  return {.state = static_cast<KnownSite::State>(word >> state_at & 3),
          .offset = word >> offset_at,
          .displaced_size = static_cast<uint8_t>(word >> displaced_at & 0xf),
          .displacement_offset = static_cast<uint8_t>(word >> displacement_at & 0xf),
          .padding_distance = static_cast<int16_t>(word >> distance_at & 0xffff),
          .padding_size = static_cast<uint8_t>(word >> padding_at & 0x3f)};
}

}  // namespace

KnownSite KnownSite::of(const Site& site, uint64_t offset) {
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

void KnownSites::prepare() {
  const long at = window::map(sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at > 0) shared = reinterpret_cast<Shared*>(at);
}

KnownFile* KnownSites::of(const FileVersion& version) {
  const uint64_t name = name_of(version);
  for (size_t i = 0; shared != nullptr && i < probes; ++i) {
    KnownFile& file = shared->files[(name + i) % file_count];
    uint64_t there = 0;
    if (file.name_.compare_exchange_strong(there, name) || there == name) return &file;
  }
  return nullptr;
}

KnownFile* KnownSites::find(const FileVersion& version) {
  const uint64_t name = name_of(version);
  for (size_t i = 0; shared != nullptr && i < probes; ++i) {
    KnownFile& file = shared->files[(name + i) % file_count];
    const uint64_t there = file.name_.load(std::memory_order_acquire);
    if (there == name) return &file;
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
