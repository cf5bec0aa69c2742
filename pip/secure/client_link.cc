#include "pip/secure/client_link.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

#include "base/log.h"
#include "pip/secure/agent.h"

namespace osp::pip {
namespace {

// A server's key is the same over TCP and UDP, so it is learnt and trusted once.
std::string known_as(const Address& address) { return "tcp:" + address.host_and_port(); }

}  // namespace

ClientLink::ClientLink(Address address, SessionClient::Options options, KeyStore keys)
    : address_(std::move(address)), keys_(std::move(keys)), session_(std::move(options)) {
  if (const char* agent = std::getenv("OSP_AGENT"); agent != nullptr) agent_ = agent;
}

// A session is its key's, so the key stays the same from one connection to the next.
Result<void> ClientLink::take_credentials(SealedClient::Options& options) {
  if (!agent_.empty()) {
    if (!identity_) identity_ = Identity::random();
    auto delegations = ask_agent(agent_, identity_->key());
    if (!delegations) {
      why_ = fmt::format("the agent at '{}' ($OSP_AGENT): {}", agent_, describe(delegations.error()));
      return std::unexpected(delegations.error());
    }
    options.identity = *identity_, options.delegations = std::move(*delegations);
    return {};
  }
  const auto identity = keys_.identity_or_new();
  if (!identity) {
    why_ = fmt::format("the key '{}' cannot be used: {}", keys_.path("key"), describe(identity.error()));
    return std::unexpected(identity.error());
  }
  identity_ = *identity;
  options.identity = *identity;
  options.delegations = keys_.delegations(identity->key(), known_, std::time(nullptr), SealedClient::most_shown);
  return {};
}

Result<SealedClient::Options> ClientLink::sealing() {
  SealedClient::Options options;
  options.sealing = address_.is_udp ? Sealing::by_transport : Sealing::records;
  const auto known = keys_.known_server(known_as(address_));
  if (!known) {
    why_ = fmt::format("'{}': the line of {} cannot be read", keys_.path("known_servers"), known_as(address_));
    return std::unexpected(known.error());
  }
  if (*known) known_ = *known;
  options.server = known_;  // a file that was lost, or cannot be written, lets nobody else in
  OSP_TRY(take_credentials(options));
  return options;
}

Result<void> ClientLink::connected(std::string& out) {
  why_.clear();
  plain_.clear();
  sealed_.reset();
  if (address_.is_sealed()) {
    OSP_ASSIGN(SealedClient::Options options, sealing());
    sealed_ = std::make_unique<SealedClient>(std::move(options));
  }
  session_.connected(plain_);
  if (!address_.is_sealed()) return pass(out), Result<void>{};
  return sealed_->begin(std::exchange(plain_, {}), out);
}

void ClientLink::disconnected() {
  sealed_.reset();
  session_.disconnected();
}

// What cannot be sealed is not lost: the session sends it again over the next connection.
void ClientLink::pass(std::string& out) {
  if (plain_.empty()) return;
  if (!address_.is_sealed()) {
    out += plain_;
  } else if (sealed_ == nullptr || !sealed_->seal(plain_, out)) {
    log::debug("pip", "{}: nothing can be sealed", address_.text());
  }
  plain_.clear();
}

Result<void> ClientLink::receive(std::string_view wire, std::string& out) {
  if (sealed_ == nullptr && address_.is_sealed()) return fail(ENOTCONN);
  std::string opened;
  if (sealed_ != nullptr) {
    if (auto taken = sealed_->receive(wire, opened, out); !taken) return explain(taken.error());
    OSP_TRY(learn_server());
    wire = opened;
  }
  const auto received = session_.receive(wire, plain_);
  pass(out);
  if (!received && received.error().code == EACCES && !address_.is_sealed())
    why_ = fmt::format("{} wants to know who asks: use pip://, or be its user", address_.text());
  return received;
}

Result<void> ClientLink::learn_server() {
  if (known_ || sealed_->state() != SealedClient::State::open) return {};
  known_ = sealed_->server();
  if (const auto kept = keys_.know_server(known_as(address_), *known_); !kept)
    log::warn("pip", "the key of {} cannot be kept in '{}': {}", address_.text(), keys_.path("known_servers"),
              describe(kept.error()));
  log::warn("pip", "{} is met for the first time; its key is {}", address_.text(), known_->text());
  return {};
}

Result<void> ClientLink::explain(Error error) {
  if (error.code == EKEYREJECTED) {
    why_ = fmt::format(
        "{} has not the key that '{}' knows it by; if it was changed on purpose: osp key trust --server "
        "{} KEY",
        address_.text(), keys_.path("known_servers"), address_.host_and_port());
  } else if (error.code == EACCES) {
    why_ = !agent_.empty() ? fmt::format("{} lets nobody in with what the agent gives", address_.text())
                           : fmt::format("{} lets nobody in with the key {}; there: osp key trust {}", address_.text(),
                                         identity_->key().text(), identity_->key().text());
  }
  return std::unexpected(error);
}

Result<uint64_t> ClientLink::submit(const std::vector<Message>& messages, uint16_t flags, std::string& out) {
  auto tag = session_.submit(messages, flags, plain_);
  pass(out);
  return tag;
}

void ClientLink::ping(std::string_view data, std::string& out) {
  session_.ping(data, plain_);
  pass(out);
}

void ClientLink::returned(uint64_t lease, uint64_t after, std::string& out) {
  session_.returned(lease, after, plain_);
  pass(out);
}

void ClientLink::keep(uint32_t fid, LockKind kind, const RangeLocks& locks, std::string& out) {
  session_.keep(fid, kind, locks, plain_);
  pass(out);
}

void ClientLink::end(std::string& out) {
  session_.end(plain_);
  pass(out);
}

}  // namespace osp::pip
