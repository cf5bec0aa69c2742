#include "pip/secure/access_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(blanks));
  rest.remove_prefix(word.size());
  return word;
}

// The rest of the line: names may have blanks in them.
std::string_view last_words(std::string_view rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
  return rest.substr(0, rest.find_last_not_of(blanks) + 1);
}

std::string_view without_comment(std::string_view line) {
  for (size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1))
    if (at == 0 || blanks.find(line[at - 1]) != std::string_view::npos) return line.substr(0, at);
  return line;
}

bool is_serial(std::string_view text) {
  const auto bytes = from_base64(text);
  return bytes && bytes->size() == sizeof(Delegation::serial);
}

// What both allow.
void add_common(const Grant& one, const Grant& other, std::vector<Grant>& to) {
  const bool may_write = one.may_write && other.may_write;
  if (is_within(one.path, other.path)) {
    to.push_back({.path = one.path, .may_write = may_write});
  } else if (is_within(other.path, one.path)) {
    to.push_back({.path = other.path, .may_write = may_write});
  }
}

}  // namespace

AccessRules::AccessRules(const PublicKey& server) : server_(server) {
  known_[server.for_noise().value_or(noise::Key{})] = {.key = server, .grants = {{.path = "", .may_write = true}}};
}

Result<std::string> AccessRules::line(const PublicKey& key, const Grant& grant) {
  const bool can_be_said =
      grant.path.find_first_of("#\n\r") == std::string::npos && last_words(grant.path) == grant.path;
  if (!can_be_said) return fail(EINVAL);
  return fmt::format("{} {} /{}", key.text(), grant.may_write ? "rw" : "r", grant.path);
}

Result<std::string> AccessRules::revocation(std::string_view what) {
  if (!is_serial(what) && !PublicKey::parse(what)) return fail(EINVAL);
  return fmt::format("revoked {}", what);
}

Result<void> AccessRules::take_line(std::string_view line, std::string& why) {
  std::string_view rest = without_comment(line);
  const std::string_view first = next_word(rest);
  if (first.empty()) return {};
  if (first == "revoked") {
    const std::string_view what = last_words(rest);
    if (!revocation(what))
      return why = fmt::format("'revoked' wants one key or serial, and '{}' is none", what), fail(EINVAL);
    revoked_.emplace(what);
    return {};
  }
  const auto key = PublicKey::parse(first);
  if (!key) return why = fmt::format("'{}' is no key (osp1:…) and not 'revoked'", first), fail(EINVAL);
  const std::string_view rights = next_word(rest);
  if (rights != "r" && rights != "rw") return why = fmt::format("'{}' is not 'r' or 'rw'", rights), fail(EINVAL);
  std::string_view path = last_words(rest);
  if (!path.starts_with('/')) return why = "a path from '/' on is missing", fail(EINVAL);
  path.remove_prefix(1);
  if (!check_path(path)) return why = fmt::format("'/{}' is no plain path", path), fail(EINVAL);
  Known& known = known_[*key->for_noise()];
  known.key = *key;
  known.grants.push_back({.path = std::string(path), .may_write = rights == "rw"});
  return {};
}

Result<AccessRules> AccessRules::parse(const PublicKey& server, std::string_view text, std::string& why) {
  AccessRules rules(server);
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    if (const auto taken = rules.take_line(text.substr(0, end), why); !taken) {
      why = fmt::format("line {}: {}", number, why);
      return std::unexpected(taken.error());
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return rules;
}

std::vector<Grant> AccessRules::grants_of(const noise::Key& key) const {
  const auto found = known_.find(key);
  if (found == known_.end() || revoked_.contains(found->second.key.text())) return {};
  return found->second.grants;
}

void AccessRules::add_delegated(const DelegationChain& chain, int64_t now_s, std::vector<Grant>& grants) const {
  const auto root = chain.root().for_noise();
  const auto given = chain.grant(server_, now_s, revoked_);
  if (!given)
    return log::info("pip", "a delegation to {} gives nothing: {}", chain.holder().text(), describe(given.error()));
  if (!root) return;
  for (const Grant& own : grants_of(*root)) add_common(*given, own, grants);
}

Access AccessRules::access_of(const noise::Key& peer, std::span<const DelegationChain> shown, int64_t now_s) const {
  std::vector<Grant> grants = grants_of(peer);
  for (const DelegationChain& chain : shown)
    if (const auto holder = chain.holder().for_noise(); holder && *holder == peer) add_delegated(chain, now_s, grants);
  return Access(std::move(grants));
}

}  // namespace osp::pip
