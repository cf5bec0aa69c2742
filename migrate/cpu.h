#pragma once

#include <string>

#include "migrate/manifest.h"

namespace osp::migrate {

// What this processor offers a program: XCR0, the size of its XSAVE area, and the CPUID words, which are, in
// the order of Cpu::words: leaf 1 ecx, edx; leaf 7.0 ebx, ecx, edx; leaf 7.1 eax; leaf 0xd.1 eax; leaf 0x80000001
// ecx, edx. (Intel SDM 2A, CPUID; AMD APM 3, appendix E.) CPUID may be slow under a hypervisor; signal-unsafe.
Cpu host_cpu();

// The names of those features in `needed` that `have` lacks, "avx512f, vaes, xsave components 0xe0"; empty: none.
// Only what instructions of a program can depend on counts, not what kernels or hypervisors see in the words.
std::string missing_features(const Cpu& needed, const Cpu& have);

}  // namespace osp::migrate
