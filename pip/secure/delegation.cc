#include "pip/secure/delegation.h"

#include <sodium.h>

#include <algorithm>

#include "pip/packing.h"
#include "pip/wire.h"

namespace osp::pip {
namespace {

constexpr std::string_view domain = "osprey delegation 1\n";  // so that no other signature is one of these
constexpr std::string_view text_prefix = "osp1-delegation:";
constexpr size_t most_path = 4096;

template <size_t size>
void put(Writer& out, const std::array<uint8_t, size>& bytes) {
  for (const uint8_t byte : bytes) out.u8(byte);
}

template <size_t size>
void get(Reader& in, std::array<uint8_t, size>& bytes) {
  for (uint8_t& byte : bytes) byte = in.u8();
}

void encode_signed(const Delegation& link, Writer& out) {
  put(out, link.from.bytes), put(out, link.to.bytes);
  out.u8(link.server ? 1 : 0);
  if (link.server) put(out, link.server->bytes);
  out.bytes(link.path);
  out.u8(link.may_write ? 1 : 0);
  out.u64(static_cast<uint64_t>(link.until_s));
  out.u8(link.more);
  put(out, link.serial);
}

std::string signed_text(const Delegation& link) {
  std::string text(domain);
  Writer out(text);
  encode_signed(link, out);
  return text;
}

// Booleans have one form each, so that a link has one, too.
bool get_flag(Reader& in, bool& good) {
  const uint8_t value = in.u8();
  good = good && value <= 1;
  return value == 1;
}

Result<Delegation> decode_link(Reader& in) {
  Delegation link;
  bool good = true;
  get(in, link.from.bytes), get(in, link.to.bytes);
  if (get_flag(in, good)) get(in, link.server.emplace().bytes);
  link.path = in.bytes();
  link.may_write = get_flag(in, good);
  link.until_s = in.i64(), link.more = in.u8();
  get(in, link.serial);
  link.signature = in.bytes();
  if (!in.ok() || !good || link.path.size() > most_path || !check_path(link.path)) return fail(EBADMSG);
  if (!link.from.has_signed(signed_text(link), link.signature)) return fail(EBADMSG);
  return link;
}

}  // namespace

std::string Delegation::serial_text() const {
  return base64(std::string_view(reinterpret_cast<const char*>(serial.data()), serial.size()));
}

Result<void> DelegationChain::check_narrower(const Delegation& before, const Delegation& after) {
  const bool narrower = after.from == before.to && (!before.server || after.server == before.server) &&
                        is_within(after.path, before.path) && (!after.may_write || before.may_write) &&
                        after.until_s <= before.until_s && after.more < before.more;
  return narrower ? Result<void>{} : fail(EPERM);
}

Result<DelegationChain> DelegationChain::begin(const Identity& signer, const Wish& wish) {
  return extend({}, signer, wish);
}

Result<DelegationChain> DelegationChain::extend(const DelegationChain& chain, const Identity& signer,
                                                const Wish& wish) {
  if (wish.path.size() > most_path || !check_path(wish.path)) return fail(EINVAL);
  Delegation link{.from = signer.key(),
                  .to = wish.to,
                  .server = wish.server,
                  .path = wish.path,
                  .may_write = wish.may_write,
                  .until_s = wish.until_s,
                  .more = wish.more,
                  .serial = {},
                  .signature = {}};
  do randombytes_buf(link.serial.data(), link.serial.size());
  while (link.serial_text().starts_with('-'));  // which would look like an option
  DelegationChain longer = chain;
  if (!chain.links_.empty()) {
    if (chain.holder() != signer.key()) return fail(EKEYREJECTED);
    if (!link.server) link.server = chain.links_.back().server;
    OSP_TRY(check_narrower(chain.links_.back(), link));
  }
  if (longer.links_.size() == most_links) return fail(EPERM);
  link.signature = signer.sign(signed_text(link));
  longer.links_.push_back(std::move(link));
  return longer;
}

std::string DelegationChain::encode() const {
  std::string bytes;
  Writer out(bytes);
  out.u8(static_cast<uint8_t>(links_.size()));
  for (const Delegation& link : links_) {
    encode_signed(link, out);
    out.bytes(link.signature);
  }
  return bytes;
}

Result<DelegationChain> DelegationChain::decode(std::string_view bytes) {
  Reader in(bytes);
  const size_t count = in.u8();
  if (count == 0 || count > most_links) return fail(EBADMSG);
  DelegationChain chain;
  for (size_t i = 0; i < count; ++i) {
    OSP_ASSIGN(Delegation link, decode_link(in));
    if (i > 0) OSP_TRY(check_narrower(chain.links_.back(), link));
    chain.links_.push_back(std::move(link));
  }
  return in.finished() ? Result<DelegationChain>(std::move(chain)) : fail(EBADMSG);
}

std::string DelegationChain::text() const { return std::string(text_prefix) + base64(encode()); }

Result<DelegationChain> DelegationChain::parse(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  if (!text.starts_with(text_prefix)) return fail(EBADMSG);
  const auto bytes = from_base64(text.substr(text_prefix.size()));
  return bytes ? decode(*bytes) : fail(EBADMSG);
}

Result<Grant> DelegationChain::grant(const PublicKey& server, int64_t now_s,
                                     const std::set<std::string>& revoked) const {
  for (const Delegation& link : links_) {
    if (link.server && *link.server != server) return fail(EACCES);
    if (now_s >= link.until_s) return fail(EKEYEXPIRED);
    const bool is_revoked =
        revoked.contains(link.serial_text()) || revoked.contains(link.from.text()) || revoked.contains(link.to.text());
    if (is_revoked) return fail(EKEYREVOKED);
  }
  return Grant{.path = links_.back().path, .may_write = links_.back().may_write};
}

}  // namespace osp::pip
