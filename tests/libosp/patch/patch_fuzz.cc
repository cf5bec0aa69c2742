// Any bytes as code: a plan stays within them, and leaves the system call alone.
#include <cstdlib>

#include "libosp/patch/plan.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t base = 0x40'0000;
  const osp::patch::Code code = {base, {data, size}};
  for (size_t at = 0; at + 1 < size; ++at) {
    if (data[at] != 0x0f || data[at + 1] != 0x05) continue;
    const auto site = osp::patch::examine(code, base + at);
    if (!site) continue;
    const auto plan = osp::patch::make_plan(*site, base + 0x10'0000);
    if (!plan) continue;
    require(plan->trampoline.size <= plan->trampoline.bytes.size());
    for (const auto& write : plan->all_writes()) {
      require(code.contains(write.address, write.size));
      require(write.address + write.size <= site->at || write.address >= site->after());
    }
  }
  return 0;
}
