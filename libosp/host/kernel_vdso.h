#pragma once

#include <time.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "libosp/host/maps.h"

// The vDSO of the host's kernel, from which the core reads the clocks without a call.
namespace osp::host {

using Clock = long (*)(long clock, timespec* now);

// Moves the kernel's vDSO with its data into the core's window, where nothing of the program can take its place; tells
// where it is then. EPERM: this kernel keeps them where they are. Once in a process, of which forked children inherit.
Result<Range> keep_kernel_vdso(const KernelPages& pages);

// clock_gettime(2) of the vDSO that is kept, null without one. Uses general registers only and no stack to speak of;
// may make a system call of its own where the kernel's clock cannot be read so.
[[nodiscard]] Clock kernel_clock();
// Natively, another that reads them.
void set_kernel_clock(Clock clock);

// clock_gettime(2), where kernel_clock() cannot be used, or is not there yet: who reads the clock often gets it.
long read_clock_by_call(clockid_t clock, timespec& now);

// Calls `found` with each function's name and its offset in the image, by the section headers, which the kernel's has.
struct VdsoFunction {
  std::string_view name;
  uint64_t offset = 0;
};
[[nodiscard]] std::vector<VdsoFunction> vdso_functions(std::span<const std::byte> image);

}  // namespace osp::host
