#pragma once

#include <cstddef>

namespace osp::preload {

// Writes the path of the file that `address` is mapped from, NUL-terminated, by /proc/self/maps. False when
// it has none, it is longer than `size`, or /proc cannot be read. Raw system calls only.
bool path_of_mapping(const void* address, char* path, size_t size);

}  // namespace osp::preload
