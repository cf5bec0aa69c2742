#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pip/access.h"
#include "pip/secure/delegation.h"
#include "pip/secure/identity.h"

// Who may do what on a server. Nothing blocks.
namespace osp::pip {

// A text of lines: `KEY RIGHTS PATH` (rights `r` or `rw`; it and all below it), `revoked KEY-OR-SERIAL`, comments
// after '#' at the beginning or after a blank. A key with several lines has what they all give.
class AccessRules {
 public:
  // Only who has the server's own key.
  explicit AccessRules(const PublicKey& server);
  // EINVAL: `why` names the line and says what is wrong with it.
  static Result<AccessRules> parse(const PublicKey& server, std::string_view text, std::string& why);
  // EINVAL: a path that the file cannot say.
  static Result<std::string> line(const PublicKey& key, const Grant& grant);
  // EINVAL: `what` is no key and no serial.
  static Result<std::string> revocation(std::string_view what);

  // What the peer of a handshake may do by itself, and by the delegations it shows; is_nothing(): go away.
  [[nodiscard]] Access access_of(const noise::Key& peer, std::span<const DelegationChain> shown, int64_t now_s) const;

 private:
  Result<void> take_line(std::string_view line, std::string& why);
  [[nodiscard]] std::vector<Grant> grants_of(const noise::Key& key) const;
  void add_delegated(const DelegationChain& chain, int64_t now_s, std::vector<Grant>& grants) const;

  PublicKey server_;  // who has everything
  struct Known {
    PublicKey key;
    std::vector<Grant> grants;
  };
  std::map<noise::Key, Known> known_;  // by what handshakes show
  std::set<std::string> revoked_;
};

}  // namespace osp::pip
