#pragma once

#include <cstdint>

namespace osp::kernel {

// Other processors whose bit is in `processors` forget all translations of ring 3's half. Returns when they have, or
// will before they use one. Locks may be held: who waits for one answers meanwhile.
void shoot_down(uint64_t processors);

// The same, and waits for those that idle too: for what they have loaded, though they do not use it.
void shoot_down_at_once(uint64_t processors);

// Does what other processors have asked of this one.
void answer_shootdown();

}  // namespace osp::kernel
