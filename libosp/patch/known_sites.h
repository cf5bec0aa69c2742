#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "libosp/patch/code_copy.h"
#include "libosp/patch/cpuid.h"
#include "libosp/patch/plan.h"

// What was learned of files that programs map, for the next time that one is mapped: a short program does each of its
// calls once or twice, and would be caught at each. In memory that the processes of the environment share: what one
// learns all know. Nobody waits for another here.
namespace osp::patch {

// A file as it was when something was learned of it. version: memory::Backing::version.
struct FileVersion {
  uint64_t device = 0, inode = 0, version = 0;
};

// A syscall or cpuid instruction of a file.
struct KnownSite {
  enum class State : uint8_t { unexamined = 1, ready, refused };
  State state = State::unexamined;
  uint64_t offset = 0;  // in the file
  // Where `state` is ready. The rest of a Site, which is where the file is mapped.
  uint8_t displaced_size = 0, displacement_offset = 0;
  int padding_distance = 0;  // from the displaced instruction
  uint8_t padding_size = 0;
  uint8_t generation = 0;  // the first of the file's copies in which it is patched, from 1 on; 0: none

  // What examine() said of the one at `offset`.
  static KnownSite of(const std::expected<Site, Refusal>& examined, uint64_t offset);
  // The site in `code`, which has the file's byte `offset` at `address`. Nothing where other bytes are there now.
  [[nodiscard]] std::optional<Site> in(const Code& code, uint64_t address) const;
};

class KnownFile {
 public:
  // Notes that something is at `offset`, if it is new and there is room.
  void add(uint64_t offset);
  [[nodiscard]] size_t size() const;
  [[nodiscard]] KnownSite at(size_t index) const;
  void set(size_t index, const KnownSite& site);
  // How often a program has started in it, and how often it has been mapped, before.
  uint32_t count_start() { return starts_.fetch_add(1, std::memory_order_relaxed); }
  uint32_t count_mapping() { return mappings_.fetch_add(1, std::memory_order_relaxed); }
  // Its copies are numbered from 1 on; 0: there is none yet.
  [[nodiscard]] unsigned last_copy() const { return copy_count_.load(std::memory_order_acquire); }
  [[nodiscard]] const CodeCopy& copy(unsigned generation) const { return copies_[generation - 1]; }
  // Makes copy number last_copy() + 1, unless another process is at it or there are enough.
  void make_copy(const Code& code, uint64_t file_offset, uint64_t span);

 private:
  static constexpr size_t most_sites = 126;
  static constexpr unsigned most_copies = 4;
  std::atomic<uint32_t> starts_, mappings_;
  std::atomic<uint32_t> copy_count_, copying_;
  CodeCopy copies_[most_copies];
  std::atomic<uint32_t> count_;
  std::atomic<uint64_t> sites_[most_sites];  // a KnownSite each; 0: not written yet
};

class KnownSites {
 public:
  // Makes the memory: in the environment's first process.
  static void prepare();
  // This process is another user's from now on, or confined: it neither knows what others know nor tells them.
  static void leave();
  // Of the code file, which has 2^14 pages.
  static std::optional<uint32_t> take_pages(uint32_t count);
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
