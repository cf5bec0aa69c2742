#include "pip/secure/server_link.h"

#include <ctime>

namespace osp::pip {
namespace {

std::string owner_of(const noise::Key& peer) {
  return base64(std::string_view(reinterpret_cast<const char*>(peer.data()), peer.size()));
}

}  // namespace

Result<void> ServerLink::begin(std::string_view wire, std::string& out) {
  has_begun_ = true;
  if (SealedServer::begins_sealed(wire)) {
    sealed_ = std::make_unique<SealedServer>(
        doorkeeper_.identity,
        [this](const auto& peer, auto shown) { return doorkeeper_.rules.access_of(peer, shown, std::time(nullptr)); },
        sealing_);
    return {};
  }
  if (in_clear_.is_nothing()) {
    const Rerror why{.ename = "this server wants a sealed connection (pip://)", .number = EACCES};
    (void)encode_packet(why, OptionSet::all(), default_msize, out);
    return fail(EACCES);
  }
  id_ = server_.connect({.owner = {}, .access = in_clear_});
  is_confirmed_ = true;
  return {};
}

Result<void> ServerLink::enter() {
  if (id_ != 0) return {};
  const Access access = sealed_->access();
  if (access.is_nothing()) return fail(EACCES);
  id_ = server_.connect({.owner = owner_of(sealed_->peer()), .access = access}, false);
  return {};
}

Result<void> ServerLink::receive_sealed(std::string_view wire, std::string& out, uint64_t now_s) {
  std::string plain, answers;
  OSP_TRY(sealed_->receive(wire, plain, out));
  if (sealed_->state() != SealedServer::State::open) return {};
  OSP_TRY(enter());
  // What came with the first message comes first, as it was sent.
  const bool now_confirmed = sealed_->is_confirmed() && !std::exchange(is_confirmed_, sealed_->is_confirmed());
  auto received = server_.receive(id_, plain, answers, now_s);
  if (received && now_confirmed) received = server_.confirm(id_, answers);
  if (!answers.empty()) OSP_TRY(sealed_->seal(answers, out));
  return received;
}

Result<void> ServerLink::receive(std::string_view wire, std::string& out, uint64_t now_s) {
  if (!has_begun_) OSP_TRY(begin(wire, out));
  return sealed_ != nullptr ? receive_sealed(wire, out, now_s) : server_.receive(id_, wire, out, now_s);
}

Result<void> ServerLink::take_output(std::string& out) {
  if (id_ == 0) return {};
  if (sealed_ == nullptr) return server_.take_output(id_, out), Result<void>{};
  std::string plain;
  server_.take_output(id_, plain);
  return plain.empty() ? Result<void>{} : sealed_->seal(plain, out);
}

Result<void> ServerLink::reconsider() {
  if (sealed_ == nullptr || id_ == 0) return {};
  const Access access = sealed_->access();
  if (access.is_nothing()) return fail(EACCES);  // its files stay: it may come back with rights
  server_.restrict_to(id_, access);
  return {};
}

void ServerLink::disconnected(uint64_t now_s) {
  if (id_ != 0) server_.disconnect(std::exchange(id_, 0), now_s);
}

}  // namespace osp::pip
