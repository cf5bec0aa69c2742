#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pip/access.h"
#include "pip/secure/identity.h"

// Authority passed on without asking anybody: signed chains, which can only narrow. The form is in docs/pip.md,
// "Delegations". Nothing blocks.
namespace osp::pip {

// "`to` may do for me, below `path` of the tree that `server` serves, what `may_write` says, until `until_s`, and may
// pass it on `more` times."
struct Delegation {
  PublicKey from, to;
  std::optional<PublicKey> server;  // none: any
  std::string path;                 // as Server wants it
  bool may_write = false;
  int64_t until_s = 0;  // since 1970
  uint8_t more = 0;
  std::array<uint8_t, 16> serial{};
  std::string signature;

  // "serial" for people and lists of what is revoked: 22 characters of base64url.
  [[nodiscard]] std::string serial_text() const;
};

// The first link is by who holds the authority, the last to who has it now.
class DelegationChain {
 public:
  static constexpr size_t most_links = 16;

  // Signs a new link: the first, or after the last of `chain`, whose `to` is `signer`. What is asked for beyond the
  // chain is refused: EPERM. EINVAL: a path that is none, or no signature is possible (EKEYREJECTED: not the signer's).
  struct Wish {
    PublicKey to;
    std::optional<PublicKey> server{};
    std::string path{};
    bool may_write = false;
    int64_t until_s = 0;
    uint8_t more = 0;
  };
  static Result<DelegationChain> extend(const DelegationChain& chain, const Identity& signer, const Wish& wish);
  static Result<DelegationChain> begin(const Identity& signer, const Wish& wish);

  // Its bytes, and its text: one line "osp1-delegation:…". EBADMSG: it is damaged, or not signed as it says;
  // EPERM: a link is wider than that before it.
  [[nodiscard]] std::string encode() const;
  static Result<DelegationChain> decode(std::string_view bytes);
  [[nodiscard]] std::string text() const;
  static Result<DelegationChain> parse(std::string_view text);

  [[nodiscard]] const std::vector<Delegation>& links() const { return links_; }
  [[nodiscard]] const PublicKey& root() const { return links_.front().from; }
  [[nodiscard]] const PublicKey& holder() const { return links_.back().to; }
  // What it gives to its holder on `server` at this time; EKEYEXPIRED, EKEYREVOKED (a serial or a key of `revoked`),
  // EACCES: it is for another server.
  Result<Grant> grant(const PublicKey& server, int64_t now_s, const std::set<std::string>& revoked) const;

 private:
  // What decode() and extend() promise of each link after the first. EPERM.
  static Result<void> check_narrower(const Delegation& before, const Delegation& after);

  std::vector<Delegation> links_;
};

}  // namespace osp::pip
