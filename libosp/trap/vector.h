#pragma once

#include <cstddef>
#include <cstdint>

#include "libosp/trap/frame.h"

// The vector state beside xmm0–15: x87, MXCSR, the upper halves, mask registers, protection keys. It
// stays in the processor while its thread is in the core (which is compiled for SSE only) and goes to
// memory only when another thread runs. Areas are XSAVE's standard form (Intel SDM vol. 1, 13.4).
namespace osp::trap::vector {

// Bytes of an XSAVE area here, and the components that are enabled (XCR0). Constant after the first call.
size_t area_size();
uint64_t components();

// A new area in the initial state, 64-byte aligned; never null (aborts without memory). Owned by the
// caller; free with release().
std::byte* make_area();
void release(std::byte* area);

// Saves all but xmm0–15 (which entry saved) of the thread that ran last, and marks the area complete.
void save(std::byte* area);
// Loads everything from the area.
void load(const std::byte* area);

}  // namespace osp::trap::vector
