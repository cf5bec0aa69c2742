#include "kernel/cpu/processor.h"

#include <new>

#include "kernel/cpu/panic.h"
#include "kernel/cpu/registers.h"
#include "kernel/cpu/vector_state.h"
#include "kernel/memory/kernel_space.h"
#include "kernel/memory/pages.h"

extern "C" void osp_syscall_entry();

namespace osp::kernel {
namespace {

constexpr uint64_t cr4_global = 1 << 7, cr4_fxsave = 1 << 9, cr4_exceptions = 1 << 10, cr4_umip = 1 << 11;
constexpr uint64_t cr4_fsgsbase = 1 << 16, cr4_xsave = 1 << 18, cr4_smep = 1 << 20, cr4_smap = 1 << 21;
constexpr uint64_t cr4_pae = 1 << 5;
constexpr uint64_t cr0_monitor = 1 << 1, cr0_emulate = 1 << 2, cr0_switched = 1 << 3, cr0_native_errors = 1 << 5;
constexpr uint64_t clear_at_syscall = 0x4'7700;  // AC, NT, IOPL, DF, IF, TF

constinit Processor* processors[max_processors] = {};
constinit std::atomic<uint32_t> count = 0;

static_assert(sizeof(Processor) <= 4096);

void need(bool there, const char* what) {
  if (!there) panic(what);
}

uint64_t wanted_features() {
  const auto basic = cpu::cpuid(1), extended = cpu::cpuid(7);
  need((basic.c >> 26 & 1) != 0, "this processor has no XSAVE");
  need((extended.b & 1) != 0, "this processor has no FSGSBASE");
  need((extended.b >> 7 & 1) != 0, "this processor has no SMEP");
  need((extended.b >> 20 & 1) != 0, "this processor has no SMAP");
  const uint64_t umip = (extended.c >> 2 & 1) != 0 ? cr4_umip : 0;
  return cr4_pae | cr4_global | cr4_fxsave | cr4_exceptions | cr4_fsgsbase | cr4_xsave | cr4_smep | cr4_smap | umip;
}

void enable_system_calls() {
  constexpr uint64_t base_of_user_selectors = OSP_USER_CODE - 16;
  cpu::write_msr(cpu::msr_star, base_of_user_selectors << 48 | uint64_t{OSP_KERNEL_CODE} << 32);
  cpu::write_msr(cpu::msr_lstar, reinterpret_cast<uint64_t>(osp_syscall_entry));
  cpu::write_msr(cpu::msr_flag_mask, clear_at_syscall);
}

}  // namespace

uint32_t processor_count() { return count.load(std::memory_order_acquire); }
Processor& processor(uint32_t index) { return *processors[index]; }

Processor* make_processor() {
  const uint32_t index = processor_count();
  const uint64_t page = index == max_processors ? 0 : allocate_clear_page();
  if (page == 0) return nullptr;
  auto* made = new (physical_pointer(page)) Processor;
  made->index = index;
  processors[index] = made;
  return made;
}

void start_processor(Processor& processor) {
  const uint64_t emergency_stack = make_kernel_stack();
  need(emergency_stack != 0, "no memory for a processor");
  processor.descriptors.load(emergency_stack);
  cpu::write_msr(cpu::msr_gs_base, reinterpret_cast<uint64_t>(&processor));
  cpu::write_msr(cpu::msr_user_gs_base, 0);
  processor.apic_id = cpu::cpuid(1).b >> 24;
  cpu::write_cr0((cpu::read_cr0() & ~(cr0_emulate | cr0_switched)) | cr0_monitor | cr0_native_errors);
  cpu::write_cr4(wanted_features());
  enable_vector_state();
  enable_system_calls();
  count.fetch_add(1, std::memory_order_release);
}

}  // namespace osp::kernel
