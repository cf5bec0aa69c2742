#include "migrate/cpu.h"

#include <cpuid.h>
#include <fmt/format.h>

#include <array>
#include <string_view>

namespace osp::migrate {
namespace {

enum Word : size_t { l1_ecx, l1_edx, l7_ebx, l7_ecx, l7_edx, l7_1_eax, xsave_eax, ext_ecx, ext_edx, word_count };

struct Feature {
  Word word;
  unsigned bit;
  std::string_view name;
};

// Named as in /proc/cpuinfo.
constexpr auto features = std::to_array<Feature>({
    {l1_ecx, 0, "pni"},
    {l1_ecx, 1, "pclmulqdq"},
    {l1_ecx, 9, "ssse3"},
    {l1_ecx, 12, "fma"},
    {l1_ecx, 13, "cx16"},
    {l1_ecx, 19, "sse4_1"},
    {l1_ecx, 20, "sse4_2"},
    {l1_ecx, 22, "movbe"},
    {l1_ecx, 23, "popcnt"},
    {l1_ecx, 25, "aes"},
    {l1_ecx, 26, "xsave"},
    {l1_ecx, 27, "osxsave"},
    {l1_ecx, 28, "avx"},
    {l1_ecx, 29, "f16c"},
    {l1_ecx, 30, "rdrand"},
    {l1_edx, 4, "tsc"},
    {l1_edx, 8, "cx8"},
    {l1_edx, 15, "cmov"},
    {l1_edx, 19, "clflush"},
    {l1_edx, 23, "mmx"},
    {l1_edx, 24, "fxsr"},
    {l1_edx, 25, "sse"},
    {l1_edx, 26, "sse2"},
    {l7_ebx, 0, "fsgsbase"},
    {l7_ebx, 3, "bmi1"},
    {l7_ebx, 4, "hle"},
    {l7_ebx, 5, "avx2"},
    {l7_ebx, 8, "bmi2"},
    {l7_ebx, 9, "erms"},
    {l7_ebx, 11, "rtm"},
    {l7_ebx, 16, "avx512f"},
    {l7_ebx, 17, "avx512dq"},
    {l7_ebx, 18, "rdseed"},
    {l7_ebx, 19, "adx"},
    {l7_ebx, 21, "avx512ifma"},
    {l7_ebx, 23, "clflushopt"},
    {l7_ebx, 24, "clwb"},
    {l7_ebx, 28, "avx512cd"},
    {l7_ebx, 29, "sha_ni"},
    {l7_ebx, 30, "avx512bw"},
    {l7_ebx, 31, "avx512vl"},
    {l7_ecx, 1, "avx512vbmi"},
    {l7_ecx, 4, "ospke"},
    {l7_ecx, 5, "waitpkg"},
    {l7_ecx, 6, "avx512_vbmi2"},
    {l7_ecx, 8, "gfni"},
    {l7_ecx, 9, "vaes"},
    {l7_ecx, 10, "vpclmulqdq"},
    {l7_ecx, 11, "avx512_vnni"},
    {l7_ecx, 12, "avx512_bitalg"},
    {l7_ecx, 14, "avx512_vpopcntdq"},
    {l7_ecx, 22, "rdpid"},
    {l7_ecx, 27, "movdiri"},
    {l7_ecx, 28, "movdir64b"},
    {l7_edx, 4, "fsrm"},
    {l7_edx, 8, "avx512_vp2intersect"},
    {l7_edx, 14, "serialize"},
    {l7_edx, 22, "amx_bf16"},
    {l7_edx, 23, "avx512_fp16"},
    {l7_edx, 24, "amx_tile"},
    {l7_edx, 25, "amx_int8"},
    {l7_1_eax, 4, "avx_vnni"},
    {l7_1_eax, 5, "avx512_bf16"},
    {l7_1_eax, 23, "avx_ifma"},
    {xsave_eax, 0, "xsaveopt"},
    {xsave_eax, 1, "xsavec"},
    {xsave_eax, 2, "xgetbv1"},
    {ext_ecx, 0, "lahf_lm"},
    {ext_ecx, 5, "abm"},
    {ext_ecx, 6, "sse4a"},
    {ext_ecx, 8, "3dnowprefetch"},
    {ext_ecx, 11, "xop"},
    {ext_ecx, 16, "fma4"},
    {ext_ecx, 21, "tbm"},
    {ext_edx, 27, "rdtscp"},
});

struct Leaf {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf read_leaf(uint32_t leaf, uint32_t subleaf) {
  Leaf result;
  __get_cpuid_count(leaf, subleaf, &result.eax, &result.ebx, &result.ecx, &result.edx);  // zeros: no such leaf
  return result;
}

uint64_t read_xcr0() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

uint32_t word_of(const Cpu& cpu, size_t word) { return word < cpu.words.size() ? cpu.words[word] : 0; }

}  // namespace

Cpu host_cpu() {
  const Leaf basic = read_leaf(1, 0), extended = read_leaf(0x80000001, 0);
  const Leaf seven = read_leaf(7, 0), seven_one = read_leaf(7, 1);
  Cpu cpu;
  cpu.words = {basic.ecx, basic.edx, seven.ebx, seven.ecx, seven.edx, seven_one.eax, 0, extended.ecx, extended.edx};
  if ((basic.ecx & bit_OSXSAVE) != 0) {
    cpu.words[xsave_eax] = read_leaf(0xd, 1).eax;
    cpu.xcr0 = read_xcr0();
    cpu.xsave_size = read_leaf(0xd, 0).ebx;
  }
  return cpu;
}

std::string missing_features(const Cpu& needed, const Cpu& have) {
  std::string names;
  const auto add = [&](std::string_view name) { names.append(names.empty() ? "" : ", ").append(name); };
  for (const Feature& feature : features) {
    const uint32_t lacking = word_of(needed, feature.word) & ~word_of(have, feature.word);
    if ((lacking >> feature.bit & 1) != 0) add(feature.name);
  }
  for (size_t word = word_count; word < needed.words.size(); ++word)
    if (needed.words[word] != 0) add("features of a newer version's image");
  if (const uint64_t lacking = needed.xcr0 & ~have.xcr0; lacking != 0)
    add(fmt::format("xsave components {:#x}", lacking));
  return names;
}

}  // namespace osp::migrate
