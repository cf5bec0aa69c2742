#include "pip/udp/packet_keys.h"

namespace osp::pip::udp {

noise::Cipher known_cipher() {
  noise::Key key{};
  constexpr std::string_view name = "osprey udp 1";
  for (size_t i = 0; i < name.size(); ++i) key[i] = static_cast<uint8_t>(name[i]);
  return noise::Cipher(key);
}

void PacketSealer::seal(const Head& head, std::string_view plain, std::string& out) {
  for (; phase_ < head.number / datagrams_a_key; ++phase_) cipher_.rekey();
  const std::string bytes = head_bytes(head);
  out += bytes;
  cipher_.seal_at(head.number, bytes, plain, out);
}

PacketOpener::PacketOpener(const noise::Cipher& first) : current_(first), next_(first) { next_.rekey(); }

Result<void> PacketOpener::open(const Head& head, std::string_view datagram, std::string& plain) {
  const uint64_t phase = head.number / datagrams_a_key;
  if (!has_key() || datagram.size() < head_size || phase > phase_ + 1 || phase + 1 < phase_) return fail(EBADMSG);
  const noise::Cipher& cipher = phase == phase_ ? current_ : phase > phase_ ? next_ : previous_;
  OSP_TRY(cipher.unseal_at(head.number, datagram.substr(0, head_size), datagram.substr(head_size), plain));
  if (phase <= phase_) return {};
  phase_ = phase;
  previous_ = current_;
  current_ = next_;
  next_.rekey();
  return {};
}

}  // namespace osp::pip::udp
