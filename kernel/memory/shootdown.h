#pragma once

#include <cstdint>

namespace osp::kernel {

// Other processors whose bit is in `processors` forget all translations of ring 3's half. Returns when they have.
// Locks may be held: who waits for one answers meanwhile.
void shoot_down(uint64_t processors);

// Does what other processors have asked of this one.
void answer_shootdown();

}  // namespace osp::kernel
