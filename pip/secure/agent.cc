#include "pip/secure/agent.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>

#include "pip/host_walk.h"

namespace osp::pip {
namespace {

constexpr std::string_view request_word = "delegate ";
constexpr size_t most_answer = 256 * 1024;
constexpr timeval patience = {.tv_sec = 2, .tv_usec = 0};

Result<HostFd> connect_to(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(ENAMETOOLONG);
  std::ranges::copy(path, address.sun_path);
  HostFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail(errno);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return fail(errno);
  return fd;
}

Result<std::string> receive_all(int fd) {
  std::string answer;
  char buffer[4096];
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(patience.tv_sec);
  while (answer.size() < most_answer) {
    if (std::chrono::steady_clock::now() > deadline) return fail(ETIMEDOUT);
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size == 0) return answer;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(errno == EAGAIN ? ETIMEDOUT : errno);
    answer.append(buffer, static_cast<size_t>(size));
  }
  return fail(EBADMSG);
}

}  // namespace

std::string agent_answer(const Identity& identity, const std::vector<DelegationChain>& held, const AgentTerms& terms,
                         std::string_view request, int64_t now_s) {
  if (!request.starts_with(request_word)) return "error what is asked for is not known here\n";
  request.remove_prefix(request_word.size());
  const auto key = PublicKey::parse(request.substr(0, request.find('\n')));
  if (!key) return "error this is no key\n";
  const DelegationChain::Wish own{.to = *key,
                                  .server = {},
                                  .path = terms.grant.path,
                                  .may_write = terms.grant.may_write,
                                  .until_s = now_s + terms.life_s,
                                  .more = 0};
  std::string answer;
  if (const auto chain = DelegationChain::begin(identity, own)) answer += chain->text() + "\n";
  for (const DelegationChain& before : held) {
    const Delegation& last = before.links().back();
    DelegationChain::Wish wish = own;
    wish.path = last.path, wish.may_write = last.may_write && terms.grant.may_write;
    wish.until_s = std::min(own.until_s, last.until_s);
    if (!is_within(wish.path, terms.grant.path)) continue;
    if (const auto chain = DelegationChain::extend(before, identity, wish)) answer += chain->text() + "\n";
  }
  return answer;
}

Result<std::vector<DelegationChain>> ask_agent(const std::string& socket_path, const PublicKey& key) {
  OSP_ASSIGN(const HostFd fd, connect_to(socket_path));
  const std::string request = fmt::format("{}{}\n", request_word, key.text());
  if (send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return fail(errno);
  OSP_ASSIGN(const std::string answer, receive_all(fd.get()));
  if (answer.starts_with("error")) return fail(EPERM);
  std::vector<DelegationChain> chains;
  for (std::string_view rest = answer; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    OSP_ASSIGN(DelegationChain chain, DelegationChain::parse(line));
    if (chain.holder() != key) return fail(EBADMSG);
    chains.push_back(std::move(chain));
  }
  return chains.empty() ? Result<std::vector<DelegationChain>>(fail(EBADMSG)) : chains;
}

}  // namespace osp::pip
