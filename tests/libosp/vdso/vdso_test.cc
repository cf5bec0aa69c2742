#include "libosp/vdso/vdso.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <string>

#include "libosp/load/elf.h"
#include "libosp/trap/layout.h"
#include "libosp/vdso/protocol.h"
#include "tests/libosp/vdso/loaded.h"

namespace osp::vdso {
namespace {

const char* const functions[] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time",
                                 "__vdso_clock_getres",  "__vdso_getcpu",       "__vdso_rt_sigreturn"};

template <class T>
const T* at(uint64_t offset) {
  return reinterpret_cast<const T*>(image().data() + offset);
}

std::map<int64_t, uint64_t> dynamic_section() {
  std::map<int64_t, uint64_t> entries;
  const auto* header = at<Elf64_Ehdr>(0);
  const auto* headers = at<Elf64_Phdr>(header->e_phoff);
  for (size_t i = 0; i < header->e_phnum; ++i) {
    if (headers[i].p_type != PT_DYNAMIC) continue;
    EXPECT_EQ(headers[i].p_flags, unsigned{PF_R});  // glibc writes to a dynamic section that says it may
    for (const auto* entry = at<Elf64_Dyn>(headers[i].p_offset); entry->d_tag != DT_NULL; ++entry)
      entries[entry->d_tag] = entry->d_un.d_ptr;
  }
  return entries;
}

TEST(Vdso, UsesTheWorkersSlot) { EXPECT_EQ(OSP_VDSO_SLOT, OSP_GS_ENTRY); }

TEST(Vdso, IsOneReadOnlySegment) {
  load::SpanSource source(image());
  const auto program = load::parse(source);
  ASSERT_TRUE(program) << program.error().reason;
  EXPECT_EQ(program->kind, load::Kind::movable);
  EXPECT_FALSE(program->executable_stack);
  EXPECT_TRUE(program->interpreter.empty());
  ASSERT_EQ(program->segments.size(), 1u);
  const load::Segment& segment = program->segments[0];
  EXPECT_EQ(segment.protection, PROT_READ | PROT_EXEC);
  EXPECT_EQ(segment.address, 0u);
  EXPECT_EQ(segment.file_offset, 0u);
  EXPECT_EQ(segment.file_size, segment.memory_size);
  EXPECT_LE(mapped_size(), 2u * 4096);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(image().data()) % 4096, 0u);
}

TEST(Vdso, NeedsNoRelocationAndNoLibrary) {
  const auto entries = dynamic_section();
  for (const int64_t tag : {DT_RELA, DT_REL, DT_JMPREL, DT_PLTGOT, DT_TEXTREL, DT_NEEDED, DT_INIT, DT_INIT_ARRAY})
    EXPECT_FALSE(entries.contains(tag)) << tag;
  for (const int64_t tag : {DT_HASH, DT_GNU_HASH, DT_SYMTAB, DT_STRTAB, DT_VERSYM, DT_VERDEF, DT_SONAME})
    EXPECT_TRUE(entries.contains(tag)) << tag;
}

// As elf(5) and musl have it.
uint32_t elf_hash(std::string_view name) {
  uint32_t hash = 0;
  for (const char c : name) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    hash = (hash ^ ((hash >> 24) & 0xf0)) & 0x0fff'ffff;
  }
  return hash;
}

uint32_t gnu_hash(std::string_view name) {
  uint32_t hash = 5381;
  for (const char c : name) hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

struct Tables {
  std::map<int64_t, uint64_t> entries = dynamic_section();
  const Elf64_Sym* symbols = at<Elf64_Sym>(entries.at(DT_SYMTAB));

  std::string_view name(uint32_t index) const { return at<char>(entries.at(DT_STRTAB) + symbols[index].st_name); }
};

uint32_t find_by_elf_hash(const Tables& tables, std::string_view name) {
  const auto* hash = at<Elf64_Word>(tables.entries.at(DT_HASH));
  const uint32_t buckets = hash[0];
  for (uint32_t i = hash[2 + elf_hash(name) % buckets]; i != 0; i = hash[2 + buckets + i])
    if (tables.name(i) == name) return i;
  return 0;
}

uint32_t find_by_gnu_hash(const Tables& tables, std::string_view name) {
  const auto* table = at<Elf64_Word>(tables.entries.at(DT_GNU_HASH));
  const uint32_t buckets = table[0], first = table[1], bloom_words = table[2];
  const auto* bucket = table + 4 + bloom_words * 2;
  const auto* chain = bucket + buckets;
  const uint32_t hash = gnu_hash(name);
  uint32_t i = bucket[hash % buckets];
  if (i == 0) return 0;
  for (;; ++i) {
    if ((chain[i - first] | 1) == (hash | 1) && tables.name(i) == name) return i;
    if ((chain[i - first] & 1) != 0) return 0;
  }
}

TEST(Vdso, BothHashTablesFindEachFunctionInItsVersion) {
  const Tables tables;
  const auto* versions = at<Elf64_Half>(tables.entries.at(DT_VERSYM));
  for (const char* name : functions) {
    const uint32_t index = find_by_elf_hash(tables, name);
    ASSERT_NE(index, 0u) << name;
    EXPECT_EQ(find_by_gnu_hash(tables, name), index) << name;
    EXPECT_EQ(versions[index], 2) << name;
    EXPECT_EQ(symbol_offset(name), tables.symbols[index].st_value) << name;
  }
  const auto* definition = at<Elf64_Verdef>(tables.entries.at(DT_VERDEF));
  const auto* linux26 = at<Elf64_Verdef>(tables.entries.at(DT_VERDEF) + definition->vd_next);
  EXPECT_EQ(linux26->vd_ndx, 2);
  EXPECT_EQ(linux26->vd_hash, elf_hash("LINUX_2.6"));
}

TEST(Vdso, KnowsNoOtherSymbols) {
  EXPECT_EQ(symbol_offset("nonesuch"), fail(ENOENT));
  EXPECT_EQ(symbol_offset(""), fail(ENOENT));
  EXPECT_EQ(symbol_offset("LINUX_2.6"), fail(ENOENT));
  EXPECT_EQ(symbol_offset("__vdso_rt_sigreturn"), sigreturn_offset());
}

TEST(Vdso, GlibcFindsItsFunctions) {
  const Loaded loaded;
  ASSERT_TRUE(loaded.ok()) << dlerror();
  for (const char* name : functions) EXPECT_NE(loaded.symbol(name), nullptr) << name;
  for (const char* name : {"clock_gettime", "gettimeofday", "time", "clock_getres", "getcpu"})
    EXPECT_EQ(loaded.symbol(name), loaded.symbol((std::string("__vdso_") + name).c_str())) << name;
}

// libgcc and gdb know a signal frame without call frame information by these bytes.
TEST(Vdso, TheRestorerHasTheBytesThatUnwindersKnow) {
  const unsigned char known[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  EXPECT_EQ(std::memcmp(at<char>(sigreturn_offset()), known, sizeof known), 0);
}

}  // namespace
}  // namespace osp::vdso
