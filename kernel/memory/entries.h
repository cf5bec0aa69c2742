#pragma once

#include <cstdint>

#include "kernel/library/bytes.h"
#include "kernel/memory/pages.h"

// Page table entries (Intel SDM 3A 4.5). An entry that is not 0 holds a page; one that is not present holds a page
// that ring 3 may not touch (PROT_NONE).
namespace osp::kernel::entry {

inline constexpr uint64_t present = 1, writable = 2, user = 4, uncached = 0x18, accessed = 0x20, dirty = 0x40,
                          large = 0x80, global = 0x100, no_execute = uint64_t{1} << 63;
inline constexpr uint64_t address_mask = 0x000f'ffff'ffff'f000;
inline constexpr uint64_t kept = 0x200;  // says that an entry which is not present holds a page
inline constexpr uint64_t table = present | writable | user;

constexpr uint64_t page_of(uint64_t entry) { return entry & address_mask; }
inline uint64_t* table_of(uint64_t entry) { return static_cast<uint64_t*>(physical_pointer(page_of(entry))); }

// Level 3 is the root's, 0 the pages' own.
constexpr int levels = 4;
constexpr int shift_of(int level) { return 12 + 9 * level; }
constexpr uint64_t span_of(int level) { return uint64_t{1} << shift_of(level); }
constexpr uint64_t index_of(uint64_t address, int level) { return address >> shift_of(level) & 511; }

// What becomes of tables that are missing: they are made, for urgent needs also when little memory is left.
enum class Missing : uint8_t { leave, make, make_urgently };
constexpr Missing making(bool urgent) { return urgent ? Missing::make_urgently : Missing::make; }

// The entry of `address` in the tables below `root`; null: a table is missing, and there is no memory for it.
[[nodiscard]] uint64_t* find(uint64_t* root, uint64_t address, Missing missing);

}  // namespace osp::kernel::entry
