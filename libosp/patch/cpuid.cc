#include "libosp/patch/cpuid.h"

#include <cpuid.h>

#include <algorithm>
#include <cstring>
#include <vector>

extern "C" {
extern const uint8_t osp_cpuid_routine[], osp_cpuid_routine_count[], osp_cpuid_routine_end[];
}

namespace osp::patch {
namespace {

constexpr uint32_t extended = 0x8000'0000, whole_leaf = 0, by_subleaf = ~0U;
constexpr uint32_t model_leaf = 1, cache_leaf = 4, features_leaf = 7, state_leaf = 0xd,
                   amd_cache_leaf = extended + 0x1d;
constexpr uint32_t most_caches = 8, most_states = 20;

CpuidAnswer ask(uint32_t leaf, uint32_t subleaf) {
  CpuidAnswer answer = {.leaf = leaf, .subleaf = subleaf};
  __cpuid_count(leaf, subleaf, answer.eax, answer.ebx, answer.ecx, answer.edx);
  return answer;
}

class Answers {
 public:
  Answers() {
    const uint32_t basic = add(0).eax, most = add(extended).eax;
    // What glibc's loader asks: cpu_features.c, cacheinfo and the extended state's size.
    for (const uint32_t leaf : {0x1U, 0x2U, 0x14U, 0x19U})
      if (leaf <= basic && !(leaf == 2 && is_amd())) add(leaf, leaf == 0x14 || leaf == 0x19 ? by_subleaf : whole_leaf);
    for (const uint32_t leaf : {1U, 5U, 6U, 7U, 8U})
      if (extended + leaf <= most) add(extended + leaf);
    if (features_leaf <= basic)
      for (const uint32_t subleaf : {0U, 1U}) add(features_leaf, by_subleaf, subleaf);
    if (state_leaf <= basic) add_states();
    add_caches(is_amd() ? amd_cache_leaf : cache_leaf, is_amd() ? most : basic);
  }

  [[nodiscard]] std::span<const CpuidAnswer> all() const { return answers_; }

 private:
  CpuidAnswer add(uint32_t leaf, uint32_t mask = whole_leaf, uint32_t subleaf = 0) {
    CpuidAnswer answer = ask(leaf, subleaf);
    answer.subleaf_mask = mask;
    answers_.push_back(answer);
    return answer;
  }

  // "AuthenticAMD", "HygonGenuine": ecx is the last four letters.
  [[nodiscard]] bool is_amd() const { return answers_[0].ecx == 0x444d4163 || answers_[0].ecx == 0x656e6975; }

  void add_states() {
    const uint32_t states = add(state_leaf, by_subleaf).eax;
    add(state_leaf, by_subleaf, 1);
    for (uint32_t i = 2; i < most_states; ++i)
      if ((states >> i & 1) != 0) add(state_leaf, by_subleaf, i);
  }

  // Up to the first subleaf that is none.
  void add_caches(uint32_t leaf, uint32_t most) {
    if (leaf > most) return;
    for (uint32_t i = 0; i < most_caches; ++i)
      if ((add(leaf, by_subleaf, i).eax & 0x1f) == 0) return;
  }

  std::vector<CpuidAnswer> answers_;
};

bool is_as_before(std::span<const CpuidAnswer> answers, uint32_t leaf) {
  const auto is_it = [leaf](const CpuidAnswer& answer) { return answer.leaf == leaf && answer.subleaf == 0; };
  const auto before = std::ranges::find_if(answers, is_it);
  if (before == answers.end()) return false;
  const CpuidAnswer now = ask(leaf, 0);
  const bool is_same_ebx = leaf == model_leaf || now.ebx == before->ebx;  // there it has the processor's number
  return now.eax == before->eax && now.ecx == before->ecx && now.edx == before->edx && is_same_ebx;
}

size_t code_size() { return static_cast<size_t>(osp_cpuid_routine_end - osp_cpuid_routine); }

}  // namespace

std::span<const CpuidAnswer> cpuid_answers() {
  static const Answers answers;
  return answers.all();
}

bool are_this_machines(std::span<const CpuidAnswer> answers) {
  if (answers.empty() || !is_as_before(answers, model_leaf)) return false;
  return answers.front().eax < features_leaf || is_as_before(answers, features_leaf);
}

size_t cpuid_routine_size(std::span<const CpuidAnswer> answers) { return code_size() + answers.size_bytes(); }

void write_cpuid_routine(std::span<const CpuidAnswer> answers, std::span<uint8_t> into) {
  const auto count = static_cast<uint32_t>(answers.size());
  std::memcpy(into.data(), osp_cpuid_routine, code_size());
  std::memcpy(into.data() + (osp_cpuid_routine_count - osp_cpuid_routine), &count, sizeof count);
  std::memcpy(into.data() + code_size(), answers.data(), answers.size_bytes());
}

}  // namespace osp::patch
