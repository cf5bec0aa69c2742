#pragma once

#include <cstdint>

// What QEMU's PVH boot hands over (xen/include/public/arch-x86/hvm/start_info.h). Addresses are physical.
namespace osp::kernel {

struct StartInfo {
  static constexpr uint32_t right_magic = 0x336e'c578;

  uint32_t magic, version, flags, module_count;
  uint64_t modules, command_line, acpi, memory_map;
  uint32_t memory_count, unused;
};

struct StartModule {
  uint64_t address, size, command_line, unused;
};

struct StartMemory {
  static constexpr uint32_t ram = 1;

  uint64_t address, size;
  uint32_t type, unused;
};

}  // namespace osp::kernel
