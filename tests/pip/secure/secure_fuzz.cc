#include <cstdlib>

#include "pip/secure/access_rules.h"
#include "pip/secure/sealed_stream.h"

// Whatever comes to either end of a sealed connection, or is said to be a delegation or a list of rules: it is refused
// or taken, and nothing comes out that was not sealed for it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace osp::pip;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);  // libFuzzer's bytes are chars to us
  static const Identity own = Identity::random(), other = Identity::random();
  std::string plain, out, why;

  SealedServer server(own, [](const auto&, auto) { return Access::everything(); });
  (void)server.receive(bytes, plain, out);
  for (const bool is_known : {false, true}) {
    SealedClient client({.identity = own, .server = is_known ? std::optional(other.key()) : std::nullopt});
    (void)client.begin("early", out);
    (void)client.receive(bytes, plain, out);
  }
  if (!plain.empty()) abort();

  if (const auto chain = DelegationChain::decode(bytes); chain && chain->encode() != bytes) abort();
  (void)DelegationChain::parse(bytes);
  (void)AccessRules::parse(own.key(), bytes, why);
  (void)PublicKey::parse(bytes);
  return 0;
}
