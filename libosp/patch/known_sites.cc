#include "libosp/patch/known_sites.h"

#include <algorithm>
#include <optional>

#include "libosp/patch/code_file.h"
#include "libosp/task/scheduler.h"

namespace osp::patch {
namespace {

constexpr size_t file_count = 128, most_answers = 64;
// A process that has been at a copy for longer is dead.
constexpr uint32_t most_copying_s = 10;

struct Counters {
  std::atomic<uint64_t> core;  // whose records these are (code_file.cc)
  std::atomic<uint32_t> starts[file_count], mappings[file_count];
};

// What is used lies together at the beginning: each page costs a process a fault.
struct Table {
  std::atomic<uint32_t> changes;
  std::atomic<uint32_t> pages_taken;
  std::atomic<uint64_t> names[file_count];            // of the files, in the order in which they came; 0: no more
  std::atomic<uint32_t> answers_taken, answer_count;  // the count is 0 until they are there
  CpuidAnswer answers[most_answers];
  KnownFile files[file_count];
};
static_assert(sizeof(Counters) <= CodeFile::counters_size);
static_assert(CodeFile::counters_size + sizeof(Table) <= CodeFile::vdso_offset);

Counters& counters() { return *reinterpret_cast<Counters*>(CodeFile::head()); }
Table* table = nullptr;

Table& table_of_file() { return *reinterpret_cast<Table*>(CodeFile::head() + CodeFile::counters_size); }

// Full, or of another processor: a machine that was moved has copies that answer for the one before.
bool is_worn_out(const Table& known) {
  constexpr uint32_t nearly_all = CodeFile::most_pages / 8 * 7;
  const uint32_t count = std::min<uint32_t>(known.answer_count.load(std::memory_order_acquire), most_answers);
  return known.names[file_count - 1].load(std::memory_order_acquire) != 0 || known.pages_taken.load() > nearly_all ||
         (count != 0 && !are_this_machines(std::span(known.answers).first(count)));
}

void tell_of_change() { table->changes.fetch_add(1, std::memory_order_release); }

}  // namespace

void KnownFile::add(uint64_t offset) {
  const size_t known = size();
  for (size_t i = 0; i < known; ++i)
    if (at(i).offset == offset) return;
  if (offset > KnownSite::most_offset || known == most_sites) return;
  const CodeFile::Writing writing;
  const uint32_t index = count_.fetch_add(1, std::memory_order_relaxed);
  if (index < most_sites) set(index, {.offset = offset});
  tell_of_change();
}

size_t KnownFile::size() const { return std::min<size_t>(count_.load(std::memory_order_acquire), most_sites); }

KnownSite KnownFile::at(size_t index) const {
  return KnownSite::unpacked(sites_[index].load(std::memory_order_acquire));
}

void KnownFile::set(size_t index, const KnownSite& site) {
  const CodeFile::Writing writing;
  sites_[index].store(site.packed(), std::memory_order_release);
}

uint32_t KnownFile::count_start() {
  return counters().starts[this - table->files].fetch_add(1, std::memory_order_relaxed);
}

uint32_t KnownFile::count_mapping() {
  return counters().mappings[this - table->files].fetch_add(1, std::memory_order_relaxed);
}

bool KnownFile::begin_copy(uint32_t now) {
  uint32_t since = copying_.load(std::memory_order_acquire);
  if (since != 0 && now - since < most_copying_s) return false;
  return copying_.compare_exchange_strong(since, now, std::memory_order_acquire);
}

// A site is marked as being in the copy when that is there.
void KnownFile::make_copy(const Code& code, uint64_t file_offset, uint64_t span) {
  constexpr uint64_t second = 1'000'000'000;
  const unsigned last = last_copy();
  if (last == most_copies) return;
  const CodeFile::Writing writing;
  if (!begin_copy(static_cast<uint32_t>(task::host_now_ns() / second) | 1)) return;
  std::vector<CopiedSite> sites;
  const auto copy = copy_code(*this, code, file_offset, span, last + 1, sites);
  if (copy && last == last_copy()) {
    copies_[last] = *copy;
    copy_count_.store(last + 1, std::memory_order_release);
    for (const auto& [index, site] : sites) set(index, site);
    tell_of_change();
  }
  copying_.store(0, std::memory_order_release);
}

std::optional<uint32_t> KnownSites::take_pages(uint32_t count) {
  if (table == nullptr || table->pages_taken.load() + count > CodeFile::most_pages) return std::nullopt;
  const CodeFile::Writing writing;
  const uint32_t first = table->pages_taken.fetch_add(count);
  if (first + count > CodeFile::most_pages) return std::nullopt;
  return CodeFile::head_pages + first;
}

void KnownSites::give_back_pages(uint32_t first, uint32_t count) {
  const CodeFile::Writing writing;
  uint32_t end = first - CodeFile::head_pages + count;
  if (table != nullptr) table->pages_taken.compare_exchange_strong(end, end - count);
}

void KnownSites::leave() {
  table = nullptr;
  CodeFile::close();
}

void KnownSites::prepare() {
  CodeFile::open();
  if (CodeFile::head() != nullptr && is_worn_out(table_of_file())) CodeFile::open_anew();
  table = CodeFile::head() == nullptr ? nullptr : &table_of_file();
}

KnownFile* KnownSites::of(const FileVersion& version) {
  if (KnownFile* file = find(version); file != nullptr || table == nullptr) return file;
  const uint64_t name = version.name();
  const CodeFile::Writing writing;
  for (size_t i = 0; i < file_count; ++i) {
    uint64_t there = table->names[i].load(std::memory_order_acquire);
    if (there == 0 && table->names[i].compare_exchange_strong(there, name)) return &table->files[i];
    if (there == name) return &table->files[i];
  }
  return nullptr;
}

KnownFile* KnownSites::find(const FileVersion& version) {
  const uint64_t name = version.name();
  for (size_t i = 0; table != nullptr && i < file_count; ++i) {
    const uint64_t there = table->names[i].load(std::memory_order_acquire);
    if (there == name) return &table->files[i];
    if (there == 0) return nullptr;
  }
  return nullptr;
}

uint32_t KnownSites::changes() { return table == nullptr ? 0 : table->changes.load(std::memory_order_acquire); }

std::span<const CpuidAnswer> KnownSites::cpuid_answers() {
  if (table == nullptr) return patch::cpuid_answers();
  if (const uint32_t count = table->answer_count.load(std::memory_order_acquire); count != 0)
    return std::span(table->answers).first(count);
  const auto answers = patch::cpuid_answers();
  const CodeFile::Writing writing;
  if (answers.size() > most_answers || table->answers_taken.exchange(1) != 0) return answers;
  std::ranges::copy(answers, table->answers);
  table->answer_count.store(static_cast<uint32_t>(answers.size()), std::memory_order_release);
  return answers;
}

}  // namespace osp::patch
