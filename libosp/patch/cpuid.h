#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// CPUID answered without the processor: in a virtual machine the instruction is a way to the hypervisor and back
// (5 to 7 µs), and glibc's loader executes it some forty times before each program.
namespace osp::patch {

// One answer of Intel SDM volume 2, CPUID.
struct CpuidAnswer {
  uint32_t leaf = 0, subleaf = 0;
  uint32_t subleaf_mask = 0;  // ~0 where the leaf looks at ecx, else 0
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  uint32_t unused = 0;
};

// What a loader asks: of what all processors of a machine have in common, but for the APIC's number in ebx of leaf 1.
// Asked once and remembered (0.1 ms in a virtual machine); not from several threads.
[[nodiscard]] std::span<const CpuidAnswer> cpuid_answers();
// Whether these, which may be of another time, are what this processor would answer: two of them are asked again, its
// model with what it can do. No if there are none.
[[nodiscard]] bool are_this_machines(std::span<const CpuidAnswer> answers);

// The routine that the trampolines of cpuid jump to, with its table: position-independent, of the program's own
// memory, so that a signal may interrupt it as it may any code. rdx says where to go on. What is not in the table the
// processor is asked. All registers but the four are kept, flags and red zone too.
[[nodiscard]] size_t cpuid_routine_size(std::span<const CpuidAnswer> answers);
// `into` has cpuid_routine_size() bytes, to run at an address that is a multiple of 16.
void write_cpuid_routine(std::span<const CpuidAnswer> answers, std::span<uint8_t> into);

}  // namespace osp::patch
