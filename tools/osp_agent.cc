// osp agent: holds this user's key and signs delegations for its processes (pip/secure/agent.h).
#include "tools/osp_agent.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <ctime>

#include "pip/packing.h"
#include "pip/secure/agent.h"
#include "pip/stream_socket.h"
#include "tools/until.h"

namespace osp::tools {
namespace {

struct Options {
  std::string socket, rights = "rw", path = "/", life = "12h";
  std::vector<std::string> program;
};

int complain(const std::string& text) {
  fmt::print(stderr, "osp: {}\n", text);
  return EXIT_FAILURE;
}

std::string default_socket() {
  const char* base = getenv("XDG_RUNTIME_DIR");
  return base != nullptr && *base == '/' ? fmt::format("{}/osp-agent", base)
                                         : pip::KeyStore(pip::KeyStore::default_directory()).path("agent");
}

class Agent {
 public:
  Agent(pip::Identity identity, pip::AgentTerms terms) : identity_(std::move(identity)), terms_(std::move(terms)) {}

  // One request. Who is slow to ask is not waited for.
  void serve(int fd) {
    if (!pip::is_own_user(fd)) return;
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    std::array<char, 256> request;
    const ssize_t size = poll(&ready, 1, 500) == 1 ? recv(fd, request.data(), request.size(), 0) : 0;
    if (size <= 0) return;
    const pip::KeyStore store(pip::KeyStore::default_directory());
    const std::string answer =
        pip::agent_answer(identity_, store.delegations(identity_.key(), std::nullopt, std::time(nullptr), 16), terms_,
                          std::string_view(request.data(), static_cast<size_t>(size)), std::time(nullptr));
    if (send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return;  // it is gone
  }

 private:
  pip::Identity identity_;
  pip::AgentTerms terms_;
};

// The signals that end us, or that the program has ended; blocked, so that they are read.
int watch_signals(sigset_t& before) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, &before);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

pid_t start(const Options& options, const sigset_t& mask) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  setenv("OSP_AGENT", options.socket.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& word : options.program) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  fmt::print(stderr, "osp: cannot run '{}': {}\n", options.program[0], strerror(errno));
  _exit(errno == ENOENT ? 127 : 126);
}

// False: it is time to end; `status` is the program's, if it ended.
bool take_signal(int signals, pid_t program, int& status) {
  signalfd_siginfo info = {};
  if (read(signals, &info, sizeof info) != sizeof info) return true;
  if (info.ssi_signo != SIGCHLD) {
    if (program <= 0) return false;
    if (info.ssi_code != SI_KERNEL)  // the terminal's are for all of the group already
      kill(program, static_cast<int>(info.ssi_signo));
    return true;
  }
  int ended = 0;
  if (program <= 0 || waitpid(program, &ended, WNOHANG) != program) return true;
  status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
  return false;
}

int serve_until_end(Agent& agent, int listener, const Options& options) {
  sigset_t before;
  const pip::HostFd signals(watch_signals(before));
  const pid_t program = options.program.empty() ? 0 : start(options, before);
  if (program < 0) return complain(fmt::format("cannot start '{}': {}", options.program[0], strerror(errno)));
  if (program == 0) fmt::print("OSP_AGENT='{}'; export OSP_AGENT\n", options.socket), fflush(stdout);
  int status = EXIT_SUCCESS;
  std::array<pollfd, 2> fds = {pollfd{.fd = listener, .events = POLLIN, .revents = 0},
                               pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0}};
  while (true) {
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return complain(strerror(errno));
    if ((fds[1].revents & POLLIN) != 0 && !take_signal(signals.get(), program, status)) return status;
    if ((fds[0].revents & POLLIN) == 0) continue;
    if (const auto fd = pip::accept_stream(listener)) agent.serve(fd->get());
  }
}

Result<pip::AgentTerms> terms_of(const Options& options) {
  pip::AgentTerms terms;
  std::string_view path = options.path;
  while (path.starts_with('/')) path.remove_prefix(1);
  OSP_TRY(pip::check_path(path));
  terms.grant = {.path = std::string(path), .may_write = options.rights == "rw"};
  OSP_ASSIGN(terms.life_s, parse_span(options.life));
  return terms;
}

int run(Options options) {
  const auto terms = terms_of(options);
  if (!terms) return complain("--path or --life is not as it should be: a plain path; 30m, 12h, 7d");
  const pip::KeyStore store(pip::KeyStore::default_directory());
  const auto identity = store.identity_or_new();
  if (!identity) return complain(fmt::format("cannot use '{}': {}", store.path("key"), describe(identity.error())));
  if (options.socket.empty()) options.socket = default_socket();
  pip::Address address{.unix_path = options.socket};
  const mode_t mask = umask(0177);
  const auto listener = pip::listen_stream(address);
  umask(mask);
  if (!listener)
    return complain(
        fmt::format("cannot listen on '{}': {}", options.socket,
                    listener.error().code == EADDRINUSE ? "an agent is there already" : describe(listener.error())));
  Agent agent(*identity, *terms);
  const int status = serve_until_end(agent, listener->get(), options);
  unlink(options.socket.c_str());
  return status;
}

}  // namespace

void add_agent_command(CLI::App& app, int& status) {
  static Options options;  // one command line a process
  CLI::App* const sub =
      app.add_subcommand("agent", "Hold this user's key, and sign delegations for the user's processes");
  sub->add_option("--socket", options.socket, "Where to be asked (default: $XDG_RUNTIME_DIR/osp-agent)")
      ->type_name("PATH");
  sub->add_option("--rights", options.rights, "r or rw (default: rw)")
      ->type_name("RIGHTS")
      ->check(CLI::IsMember({"r", "rw"}));
  sub->add_option("--path", options.path, "What the rights are to, with all below it (default: /)")->type_name("PATH");
  sub->add_option("--life", options.life, "How long a delegation is good (default: 12h)")->type_name("TIME");
  sub->add_option("program", options.program, "Run this with $OSP_AGENT set, and end with it")
      ->type_name("PROG [ARG...]");
  sub->positionals_at_end();
  sub->prefix_command();
  sub->callback([&status, sub] {
    for (const std::string& word : sub->remaining()) options.program.push_back(word);
    status = run(options);
  });
}

}  // namespace osp::tools
