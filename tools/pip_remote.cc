#include "tools/pip_remote.h"

#include <fmt/format.h>

#include <vector>

namespace osp::piptool {

std::unexpected<Failure> failure(std::string_view doing, std::string_view name, int code) {
  return std::unexpected(Failure{fmt::format("cannot {} '{}': {}", doing, name, describe(Error(code)))});
}

Outcome<pip::Client*> Remotes::client(const pip::Url& url) {
  const std::string server = url.server();
  if (const auto found = remotes_.find(server); found != remotes_.end()) return found->second.client.get();
  Remote remote;
  std::string why;
  auto channel = pip::StreamChannel::create(url.address, {.give_up_after = give_up_after_}, &why);
  if (!channel && !why.empty()) return std::unexpected(Failure{fmt::format("cannot reach '{}': {}", server, why)});
  if (!channel) return failure("reach", server, channel.error().code);
  remote.channel = std::move(*channel);
  auto client = pip::Client::create(*remote.channel, server);
  if (!client) return failure("attach to", server, client.error().code);
  remote.client = std::move(*client);
  return remotes_.emplace(server, std::move(remote)).first->second.client.get();
}

bool Remotes::splice(std::string& path, const pip::WalkError& link) {
  if (link.consumed > path.size()) return false;
  const size_t parent_end = path.rfind('/', link.consumed - 1);
  const bool absolute = link.target.starts_with('/');
  const std::string parent = absolute || parent_end == std::string::npos ? "" : path.substr(0, parent_end);
  std::string whole = parent + "/" + link.target + path.substr(link.consumed);
  std::vector<std::string_view> names;
  for (std::string_view rest = whole; !rest.empty();) {
    const size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name != "..") {
      names.push_back(name);
    } else if (names.empty()) {
      return false;
    } else {
      names.pop_back();
    }
  }
  std::string clean;
  for (const std::string_view name : names) (clean += clean.empty() ? "" : "/") += name;
  path = clean;
  return true;
}

}  // namespace osp::piptool
