#include <cstdint>
#include <cstdlib>

#include "libosp/native/boot_record.h"

// libFuzzer: any bytes as a boot record. What is taken must be the same after encode().
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using osp::native::BootRecord;
  const auto record = BootRecord::decode(std::as_bytes(std::span(data, size)));
  if (!record) {
    if (record.error().reason.empty()) std::abort();
    return 0;
  }
  const auto bytes = record->encode();
  if (!bytes) std::abort();
  const auto again = BootRecord::decode(*bytes);
  if (!again || *again != *record) std::abort();
  return 0;
}
