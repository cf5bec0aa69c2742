#include "pip/secure/sealed_stream.h"

#include <algorithm>

#include "pip/wire.h"

namespace osp::pip {
namespace {

using noise::Pattern;
using noise::Role;

// A connection begins with one of these, which is the handshake's prologue too.
constexpr std::string_view magic = "\xcf\x80pS1";
constexpr size_t preamble_size = magic.size() + 1;
constexpr char letter_of(Pattern pattern) { return pattern == Pattern::ik ? 'I' : 'X'; }
std::string preamble(Pattern pattern) { return std::string(magic) + letter_of(pattern); }

// In the place of a handshake message: the server could make nothing of ours. It is in clear, since there is no key.
constexpr std::string_view refused_in_clear = "?";
constexpr size_t most_shown = SealedClient::most_shown, most_links_shown = 32;
constexpr size_t most_hello = 32 * 1024;  // without early bytes

std::string_view view(const PublicKey& key) {
  return {reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()};
}

std::string status_text(int code) {
  std::string text;
  Writer out(text);
  out.u32(static_cast<uint32_t>(code));
  out.bytes(code == 0 ? "" : "this key may do nothing here");
  return text;
}

// What the transport seals with comes after what the handshake's own messages were sealed with.
noise::Handshake::Ciphers next_keys(noise::Handshake::Ciphers ciphers) {
  ciphers.send.rekey();
  ciphers.receive.rekey();
  return ciphers;
}

noise::Handshake client_handshake(const SealedClient::Options& options) {
  const Pattern pattern = options.server ? Pattern::ik : Pattern::xx;
  std::optional<noise::Key> peer;
  if (options.server) peer = options.server->for_noise().value_or(noise::Key{});
  return {options.identity.for_noise(), {.pattern = pattern, .prologue = preamble(pattern), .peer = peer}};
}

}  // namespace

SealedClient::SealedClient(Options options)
    : options_(std::move(options)), handshake_(client_handshake(options_)), wants_status_(!options_.server) {}

Result<void> SealedClient::fail_with(int code) {
  state_ = State::failed;
  return fail(code);
}

Result<std::string> SealedClient::hello() const {
  std::string payload(1, '\0');
  Writer out(payload);
  uint8_t count = 0;
  size_t links = 0;
  for (const DelegationChain& chain : options_.delegations) {
    const std::string bytes = chain.encode();
    links += chain.links().size();
    if (count == most_shown || links > most_links_shown || payload.size() + bytes.size() > most_hello) break;
    out.bytes(bytes);
    ++count;
  }
  payload[0] = static_cast<char>(count);
  return payload;
}

Result<void> SealedClient::begin(std::string_view early, std::string& out) {
  const Pattern pattern = options_.server ? Pattern::ik : Pattern::xx;
  const size_t before = out.size();
  out += preamble(pattern);
  std::string message;
  if (pattern == Pattern::xx) {
    waiting_ = early;
    OSP_TRY(handshake_.write({}, message));
  } else {
    OSP_ASSIGN(const std::string payload, hello());
    if (!handshake_.write(payload + std::string(early), message)) {  // it is too much: later, then
      waiting_ = early;
      OSP_TRY(handshake_.write(payload, message));
    }
  }
  put_record(message, out);
  progress_.sent = out.size() - before;
  return {};
}

Result<void> SealedClient::seal(std::string_view plain, std::string& out) {
  if (state_ == State::failed) return fail(ENOTCONN);
  if (state_ == State::open && options_.sealing == Sealing::records) return layer_.seal(plain, out);
  (state_ == State::open ? out : waiting_) += plain;
  return {};
}

Result<void> SealedClient::receive(std::string_view wire, std::string& plain, std::string& out) {
  if (state_ == State::failed) return fail(ENOTCONN);
  if (options_.sealing == Sealing::records) return take_wire(wire, plain, out);
  if (progress_.is_over) return plain += wire, Result<void>{};
  const size_t before = out.size();
  OSP_TRY(take_wire(wire, plain, out));
  progress_.sent += out.size() - before;
  if (state_ == State::open) begin_sealing(out);
  return {};
}

void SealedClient::begin_sealing(std::string& out) {
  progress_.is_over = !wants_status_;
  if (progress_.ciphers) return;
  progress_.ciphers = next_keys(handshake_.ciphers());
  out += std::exchange(waiting_, {});
}

Result<void> SealedClient::take_wire(std::string_view wire, std::string& plain, std::string& out) {
  records_.feed(wire);
  for (std::string_view record; records_.next(record);) OSP_TRY(take(record, plain, out));
  return {};
}

Result<void> SealedClient::take(std::string_view record, std::string& plain, std::string& out) {
  if (!handshake_.is_done() && record == refused_in_clear)
    return fail_with(options_.server ? EKEYREJECTED : EPROTONOSUPPORT);
  if (!handshake_.is_done()) return take_handshake(record, out);
  if (wants_status_) {
    std::string status;
    if (!layer_.unseal(record, status)) return fail_with(EBADMSG);
    wants_status_ = false;
    return take_status(status);
  }
  return layer_.unseal(record, plain) ? Result<void>{} : fail_with(EBADMSG);
}

Result<void> SealedClient::take_handshake(std::string_view record, std::string& out) {
  const bool knew_server = options_.server.has_value();
  const auto payload = handshake_.read(record);
  if (!payload) return fail_with(EBADMSG);
  OSP_TRY(knew_server ? take_status(*payload) : take_server_key(*payload));
  if (!handshake_.is_done()) {
    OSP_ASSIGN(const std::string ours, hello());
    std::string message;
    if (const auto written = handshake_.write(ours, message); !written) return fail_with(written.error().code);
    put_record(message, out);
  }
  layer_ = RecordLayer(handshake_.ciphers());
  state_ = State::open;
  if (options_.sealing == Sealing::by_transport) return {};
  return layer_.seal(std::exchange(waiting_, {}), out);  // if it is nothing, it still says that we are here
}

Result<void> SealedClient::take_status(std::string_view payload) {
  Reader in(payload);
  const uint32_t code = in.u32();
  why_ = in.bytes();
  if (!in.finished() || code > 4095) return fail_with(EBADMSG);
  return code == 0 ? Result<void>{} : fail_with(static_cast<int>(code));
}

Result<void> SealedClient::take_server_key(std::string_view payload) {
  PublicKey key;
  if (payload.size() != key.bytes.size()) return fail_with(EBADMSG);
  std::ranges::copy(payload, key.bytes.begin());
  const auto shown = key.for_noise();
  if (!shown || *shown != handshake_.peer()) return fail_with(EBADMSG);
  options_.server = key;
  return {};
}

SealedServer::SealedServer(const Identity& identity, Admission admission, Sealing sealing)
    : identity_(identity), admission_(std::move(admission)), sealing_(sealing) {}

bool SealedServer::begins_sealed(std::string_view first_bytes) { return first_bytes.starts_with(magic[0]); }

Result<void> SealedServer::refuse(int code, std::string& out) {
  if (!handshake_ || !handshake_->is_done()) put_record(refused_in_clear, out);
  state_ = State::failed;
  return fail(code);
}

Result<bool> SealedServer::take_preamble() {
  std::string_view first;
  if (!records_.take(preamble_size, first)) return false;
  for (const Pattern pattern : {Pattern::ik, Pattern::xx}) {
    if (first != preamble(pattern)) continue;
    handshake_.emplace(identity_.for_noise(),
                       noise::Handshake::Options{.pattern = pattern, .role = Role::responder, .prologue = first});
    return true;
  }
  return fail(EPROTONOSUPPORT);
}

Result<void> SealedServer::receive(std::string_view wire, std::string& plain, std::string& out) {
  if (state_ == State::failed) return fail(ENOTCONN);
  if (sealing_ == Sealing::records) return take_wire(wire, plain, out);
  if (progress_.is_over) {
    is_confirmed_ = true;
    return plain += wire, Result<void>{};
  }
  const size_t before = out.size();
  auto taken = take_wire(wire, plain, out);
  progress_.sent += out.size() - before;
  if (state_ != State::open) return taken;
  progress_ = {.sent = progress_.sent, .is_over = true, .ciphers = next_keys(handshake_->ciphers())};
  return taken;
}

Result<void> SealedServer::take_wire(std::string_view wire, std::string& plain, std::string& out) {
  records_.feed(wire);
  if (!handshake_) {
    const auto taken = take_preamble();
    if (!taken) return refuse(taken.error().code, out);
    if (!*taken) return {};
  }
  for (std::string_view record; records_.next(record);) {
    if (!handshake_->is_done()) {
      OSP_TRY(take_handshake(record, plain, out));
    } else if (const auto unsealed = layer_.unseal(record, plain); unsealed) {
      is_confirmed_ = true;
    } else {
      state_ = State::failed;
      return fail(EBADMSG);
    }
  }
  return {};
}

Result<void> SealedServer::take_handshake(std::string_view record, std::string& plain, std::string& out) {
  const auto payload = handshake_->read(record);
  if (!payload) return refuse(payload.error().code, out);
  const bool is_xx_first = !handshake_->peer().has_value();
  std::string message, early;
  if (is_xx_first) {
    if (!handshake_->write(view(identity_.key()), message)) return refuse(ECONNREFUSED, out);
    return put_record(message, out), Result<void>{};
  }
  if (const auto taken = take_hello(*payload, early); !taken) return refuse(taken.error().code, out);
  const int code = access().is_nothing() ? EACCES : 0;
  const bool is_xx = handshake_->is_done();
  if (!is_xx && !handshake_->write(status_text(code), message)) return refuse(ECONNREFUSED, out);
  layer_ = RecordLayer(handshake_->ciphers());
  if (is_xx) {
    is_confirmed_ = true;  // this message has secrets of both ends' new keys in it
    OSP_TRY(layer_.seal(status_text(code), out));
  } else {
    put_record(message, out);
  }
  state_ = code == 0 ? State::open : State::failed;
  if (code != 0) return fail(code);
  plain += early;
  return {};
}

Result<void> SealedServer::take_hello(std::string_view payload, std::string& plain) {
  Reader in(payload);
  const size_t count = in.u8();
  if (count > most_shown) return fail(EBADMSG);
  size_t links = 0;  // each costs a signature, and anybody may ask
  for (size_t i = 0; i < count; ++i) {
    const std::string_view bytes = in.bytes();
    links += bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
    if (!in.ok() || links > most_links_shown) return fail(EBADMSG);
    if (auto chain = DelegationChain::decode(bytes); chain) delegations_.push_back(std::move(*chain));  // else: nothing
  }
  plain += in.rest();
  return {};
}

Result<void> SealedServer::seal(std::string_view plain, std::string& out) {
  if (state_ != State::open) return fail(ENOTCONN);
  if (sealing_ == Sealing::by_transport) return out += plain, Result<void>{};
  return layer_.seal(plain, out);
}

}  // namespace osp::pip
