#include "kernel/device/firmware.h"

#include "kernel/cpu/registers.h"

namespace osp::kernel {
namespace {

constexpr uint16_t selector_port = 0x510, data_port = 0x511;
constexpr uint16_t signature_key = 0, processors_key = 5;

uint32_t read_item(uint16_t key) {
  cpu::out16(selector_port, key);
  uint32_t value = 0;
  for (int byte = 0; byte < 4; ++byte) value |= uint32_t{cpu::in8(data_port)} << 8 * byte;
  return value;
}

}  // namespace

uint32_t firmware_processor_count() {
  constexpr uint32_t signature = 0x55'4d'45'51;  // "QEMU"
  if (read_item(signature_key) != signature) return 1;
  const uint32_t count = read_item(processors_key) & 0xffff;
  return count == 0 ? 1 : count;
}

}  // namespace osp::kernel
