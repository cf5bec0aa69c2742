#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace osp::vdso {

// The whole ELF image of the programs' vDSO, page-aligned, static. To give it to a program: copy it to whole
// pages in the program's window, protect them read and execute, and put their address in AT_SYSINFO_EHDR.
// All functions here are signal-safe and never block.
[[nodiscard]] std::span<const std::byte> image();

// What to map for it: image().size() in whole pages, in bytes.
[[nodiscard]] size_t mapped_size();

// The offset in the image of a function, e.g. "__vdso_clock_gettime"; ENOENT if there is none of that name.
[[nodiscard]] Result<uint64_t> symbol_offset(std::string_view name);

// The offset of __vdso_rt_sigreturn, to be a signal frame's return address where the program set no
// restorer of its own. Unwinders pass it by its call frame information.
[[nodiscard]] uint64_t sigreturn_offset();

}  // namespace osp::vdso
