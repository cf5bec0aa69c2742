#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "libosp/patch/code_copy.h"
#include "libosp/patch/cpuid.h"
#include "libosp/patch/known_site.h"

// What was learned of files that programs map, for the next time that one is mapped: a short program does each of its
// calls once or twice, and would be caught at each. In the code file: what one process learns, all know that share it.
// Nobody waits for another here. What is read is a hint: KnownSite::in() looks at the code itself.
namespace osp::patch {

class KnownFile {
 public:
  // Notes that something is at `offset`, if it is new and there is room.
  void add(uint64_t offset);
  [[nodiscard]] size_t size() const;
  [[nodiscard]] KnownSite at(size_t index) const;
  void set(size_t index, const KnownSite& site);
  // How often a program has started in it, and how often it has been mapped, before.
  uint32_t count_start();
  uint32_t count_mapping();
  // Its copies are numbered from 1 on; 0: there is none yet.
  [[nodiscard]] unsigned last_copy() const { return copy_count_.load(std::memory_order_acquire); }
  [[nodiscard]] const CodeCopy& copy(unsigned generation) const { return copies_[generation - 1]; }
  // Makes copy number last_copy() + 1, unless another process is at it or there are enough.
  void make_copy(const Code& code, uint64_t file_offset, uint64_t span);

 private:
  bool begin_copy(uint32_t now);

  static constexpr size_t most_sites = 126;
  static constexpr unsigned most_copies = 8;
  std::atomic<uint32_t> copy_count_;
  std::atomic<uint32_t> copying_;  // since when a process is at it, s of CLOCK_MONOTONIC; 0: none is
  std::atomic<uint32_t> count_;
  std::atomic<uint64_t> sites_[most_sites];  // KnownSite::packed(); 0: not written yet
  CodeCopy copies_[most_copies];
};

class KnownSites {
 public:
  // Finds the memory, or makes it: in the environment's first process.
  static void prepare();
  // This process is another user's from now on, or confined: it neither knows what others know nor tells them.
  static void leave();
  // Of the code file: the first of so many pages for a copy.
  static std::optional<uint32_t> take_pages(uint32_t count);
  // They have not been used.
  static void give_back_pages(uint32_t first, uint32_t count);
  // A new, empty one where nothing is known of it. Null: there is no room, or nothing was prepared.
  static KnownFile* of(const FileVersion& version);
  // Null: nothing is known of it.
  static KnownFile* find(const FileVersion& version);
  // Another number when a site has been noted in any file, or one has a new copy.
  static uint32_t changes();
  // cpuid_answers(), which one process has asked for all.
  static std::span<const CpuidAnswer> cpuid_answers();
};

}  // namespace osp::patch
