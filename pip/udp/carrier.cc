#include "pip/udp/carrier.h"

#include <algorithm>
#include <utility>

namespace osp::pip::udp {

void Carrier::send(std::string& out) {
  const HandshakeProgress* progress = above_.progress();
  if (progress == nullptr) return out.clear();
  const std::string_view bytes = out;
  const size_t handshake = std::min(bytes.size(), progress->sent - sent_);
  connection_.write_handshake(bytes.substr(0, handshake));
  connection_.write(bytes.substr(handshake));
  sent_ += handshake;
  if (progress->ciphers && !connection_.has_keys()) connection_.set_keys(*progress->ciphers);
  if (progress->is_over) connection_.handshake_is_over();
  out.clear();
}

Result<void> Carrier::give(std::string_view bytes) {
  std::string out;
  auto received = above_.receive(bytes, out);
  send(out);
  return received;
}

Result<void> Carrier::deliver() {
  const HandshakeProgress* progress = above_.progress();
  if (progress == nullptr || !progress->is_over) {
    if (const std::string bytes = connection_.take_handshake(); !bytes.empty()) OSP_TRY(give(bytes));
    progress = above_.progress();
  }
  if (progress == nullptr || !progress->is_over || !connection_.is_confirmed()) return {};
  if (connection_.ready() == 0 && has_confirmed_) return {};
  has_confirmed_ = true;
  connection_.take(taken_);
  return give(taken_);
}

}  // namespace osp::pip::udp
