#include <cstdlib>

#include "pip/codec.h"
#include "pip/packing.h"

// Decodes whatever it is given, with and without options; what decodes must encode to the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace osp::pip;
  const std::string_view body(reinterpret_cast<const char*>(data), size);  // libFuzzer's bytes are chars to us
  for (const OptionSet options : {OptionSet(), OptionSet::all()}) {
    const auto packet = decode_body(body, options, default_nmsgs);
    if (!packet) continue;
    print(*packet);
    std::string again;
    const auto encoded = packet->is_group() ? encode_group(packet->head, packet->messages, options, UINT32_MAX, again)
                                            : encode_packet(packet->head, options, UINT32_MAX, again);
    if (!encoded || again.substr(4) != body) abort();
  }
  (void)unpack_entries(body);
  (void)unpack_attributes(body);
  (void)unpack_change(body);
  (void)unpack_statfs(body);
  return 0;
}
