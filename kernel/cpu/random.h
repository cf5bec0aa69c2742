#pragma once

#include <cstddef>
#include <cstdint>

namespace osp::kernel {

// Seeds the generator from RDSEED or RDRAND; panics where the processor has neither.
void start_random();

// Random bytes: ChaCha20 (RFC 8439) whose key is replaced by its own output after each use.
void fill_random(void* to, size_t size);

}  // namespace osp::kernel
