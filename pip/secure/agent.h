#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pip/secure/delegation.h"
#include "pip/secure/key_store.h"

// A process that holds a user's key and signs delegations, so that no other has to hold it (as Plan 9's factotum): it
// is asked over a unix socket by processes of the same user, one line `delegate KEY`, and answers with lines
// `osp1-delegation:…`, or one `error TEXT`, and closes.
namespace osp::pip {

// What the agent gives with each delegation.
struct AgentTerms {
  Grant grant{.path = "", .may_write = true};
  int64_t life_s = 12 * 60 * 60;
};

// The answer to a request, with its newline: for the user's own rights, and for each delegation to this key that may be
// passed on.
[[nodiscard]] std::string agent_answer(const Identity& identity, const std::vector<DelegationChain>& held,
                                       const AgentTerms& terms, std::string_view request, int64_t now_s);

// Delegations to `key` from the agent at a socket. Blocks for at most 6 seconds, of which 2 for each step.
// ECONNREFUSED, ENOENT: it is not there; ETIMEDOUT; EBADMSG: it answers something else; EPERM: it says no.
[[nodiscard]] Result<std::vector<DelegationChain>> ask_agent(const std::string& socket_path, const PublicKey& key);

}  // namespace osp::pip
