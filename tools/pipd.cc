// pipd: serves a directory, or a store, over πp.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/fd_limit.h"
#include "base/log.h"
#include "pip/host_tree.h"
#include "pip/host_watch.h"
#include "pip/secure/key_store.h"
#include "pip/store/store_tree.h"
#include "tools/pipd_loop.h"

namespace osp::pipd {
namespace {

struct Arguments {
  std::string directory;
  std::string store;  // or this instead
  std::vector<std::string> listen;
  std::string state;
  std::string keys;
  std::string access;
  bool in_clear = false;
  bool read_only = false;
};

constexpr int status_usage = 2;

int complain(const std::string& text) {
  fmt::print(stderr, "pipd: {}\n", text);
  return EXIT_FAILURE;
}

// Where the sessions of one export are kept: apart for each export and set of addresses.
std::string default_state(const Arguments& arguments) {
  const char* base = getenv("XDG_STATE_HOME");
  const char* home = getenv("HOME");
  const std::string root =
      base != nullptr && *base == '/' ? base : fmt::format("{}/.local/state", home ? home : "/tmp");
  std::string what = arguments.directory;
  for (const std::string& one : arguments.listen) what += " " + one;
  return fmt::format("{}/osp/pipd/{:016x}", root, std::hash<std::string>()(what));
}

// Makes the directory and locks it for this process. The fd stays open as long as the process.
Result<int> take_state(const std::string& directory) {
  OSP_TRY(pip::make_private_directories(std::filesystem::absolute(directory)));
  chmod(directory.c_str(), 0700);
  const int fd = open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(errno);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return fail(errno);
  return fd;
}

Result<void> listen_stream(pip::Address& address, Loop& loop) {
  OSP_ASSIGN(pip::HostFd listener, pip::listen_stream(address));
  return loop.add_listener(std::move(listener));
}

Result<void> listen_udp(pip::Address& address, Loop& loop) {
  OSP_ASSIGN(pip::udp::DatagramSocket socket, pip::udp::DatagramSocket::bind(address));
  return loop.add_listener(std::move(socket));
}

Result<void> listen_all(const Arguments& arguments, Loop& loop, std::string& wrong) {
  for (const std::string& text : arguments.listen) {
    wrong = text;
    OSP_ASSIGN(pip::Address address, pip::parse_address(text));
    OSP_TRY(address.is_udp ? listen_udp(address, loop) : listen_stream(address, loop));
    fmt::print("pipd: serving {} on {}\n", arguments.directory, address.text());
  }
  fflush(stdout);
  return {};
}

// ENOENT of the file is an empty one.
std::expected<pip::AccessRules, std::string> read_rules(const Arguments& arguments, const pip::PublicKey& key) {
  const auto text = pip::read_small_file(arguments.access);
  if (!text && text.error().code != ENOENT)
    return std::unexpected(fmt::format("cannot read '{}': {}", arguments.access, describe(text.error())));
  std::string why;
  auto rules = pip::AccessRules::parse(key, text ? std::string_view(*text) : std::string_view(), why);
  if (!rules) return std::unexpected(fmt::format("'{}': {}", arguments.access, why));
  return std::move(*rules);
}

std::expected<pip::Doorkeeper, std::string> make_doorkeeper(Arguments& arguments) {
  if (arguments.keys.empty()) arguments.keys = pip::KeyStore::default_directory();
  const pip::KeyStore keys(arguments.keys);
  if (arguments.access.empty()) arguments.access = keys.path("access");
  const auto identity = keys.identity_or_new();
  if (!identity)
    return std::unexpected(fmt::format("cannot use the key '{}': {}", keys.path("key"), describe(identity.error())));
  auto rules = read_rules(arguments, identity->key());
  if (!rules) return std::unexpected(rules.error());
  return pip::Doorkeeper{.identity = *identity, .rules = std::move(*rules)};
}

// While they make no sense, the old ones stay.
void renew_rules(const Arguments& arguments, pip::Doorkeeper& doorkeeper) {
  auto rules = read_rules(arguments, doorkeeper.identity.key());
  if (!rules) return log::warn("pipd", "the rules stay as they were: {}", rules.error());
  doorkeeper.rules = std::move(*rules);
}

// What is kept here would let whoever reads it in everywhere.
std::string secret_that_would_be_served(const Arguments& arguments) {
  if (!arguments.store.empty()) return {};  // a store's directory is not what is served
  const bool is_reached =
      std::ranges::any_of(arguments.listen, [](const auto& one) { return !one.starts_with("unix:"); });
  for (const std::string& one : {arguments.keys, arguments.access, arguments.state}) {
    std::error_code error;
    const std::string real = std::filesystem::weakly_canonical(one, error).string();
    const bool is_below = arguments.directory == "/" || real.starts_with(arguments.directory + "/");
    if (is_reached && is_below && !arguments.in_clear) return real;
  }
  return {};
}

// What is served: a directory of the host, or a store.
struct Served {
  std::unique_ptr<pip::HostTree> host{};
  std::unique_ptr<pip::HostWatch> watch{};  // of the host's directory, which others change too
  std::unique_ptr<pip::store::Store> store{};
  std::unique_ptr<pip::store::StoreTree> tree{};

  [[nodiscard]] pip::Server& server() const { return tree ? static_cast<pip::Server&>(*tree) : *host; }
};

using Opening = std::expected<Served, std::string>;

Opening open_export(Arguments& arguments) {
  char* const real = realpath(arguments.directory.c_str(), nullptr);
  if (real == nullptr)
    return std::unexpected(fmt::format("cannot export '{}': {}", arguments.directory, strerror(errno)));
  arguments.directory = real;
  free(real);
  Served served;
  auto tree = pip::HostTree::create(
      arguments.directory, {.read_only = arguments.read_only, .special_files = false, .name = arguments.directory});
  if (!tree) return std::unexpected(fmt::format("cannot export '{}': {}", arguments.directory, describe(tree.error())));
  auto watch = pip::HostWatch::create(arguments.directory);
  if (!watch)
    return std::unexpected(fmt::format("cannot watch '{}': {}", arguments.directory, describe(watch.error())));
  served.host = std::move(*tree), served.watch = std::move(*watch);
  return served;
}

Opening open_store(Arguments& arguments) {
  if (arguments.read_only) return std::unexpected("--read-only is for --export; give a store's clients 'r' (--access)");
  std::string why;
  auto store = pip::store::Store::open(arguments.store, {.may_create = true}, why);
  if (!store) return std::unexpected(why);
  Served served;
  served.store = std::move(*store);
  arguments.directory = std::filesystem::canonical(arguments.store).string();
  served.tree = std::make_unique<pip::store::StoreTree>(*served.store, arguments.directory);
  return served;
}

// A store is looked after: what its sessions left behind goes, and what they did gets to the disk.
void look_after(const Served& served) {
  if (!served.tree) return;
  if (auto done = served.tree->abandon_ownerless(); !done)
    log::warn("pipd", "drafts are not dropped: {}", describe(done.error()));
  if (auto done = served.tree->sync(); !done) log::warn("pipd", "cannot sync: {}", describe(done.error()));
}

int serve(Arguments& arguments, const Served& served) {
  pip::FileJournalStore journals(arguments.state);
  // Their fids stand for drafts that the machine's end has taken: going on with them would be a success that is none.
  if (served.store && served.store->is_after_crash()) journals.erase_all();
  auto server = pip::SessionServer::create(served.server(), journals, {.watch = served.watch.get()}, Loop::now_s());
  if (!server)
    return complain(fmt::format("cannot load sessions from '{}': {}", arguments.state, describe(server.error())));
  auto doorkeeper = make_doorkeeper(arguments);
  if (!doorkeeper) return complain(doorkeeper.error());
  if (const std::string secret = secret_that_would_be_served(arguments); !secret.empty())
    return complain(
        fmt::format("'{}' would be served, too, with what lets others in; keep it elsewhere (--keys, --access, "
                    "--state), or serve less",
                    secret));
  auto loop = Loop::create(**server, *doorkeeper,
                           {.in_clear = arguments.in_clear,
                            .each_while =
                                [&] {
                                  renew_rules(arguments, *doorkeeper);
                                  look_after(served);
                                },
                            .watch = served.watch ? served.watch->fd() : -1});
  if (!loop) return complain(describe(loop.error()));
  std::string wrong;
  if (auto listening = listen_all(arguments, **loop, wrong); !listening)
    return complain(fmt::format(
        "cannot listen on '{}': {}{}", wrong, describe(listening.error()),
        listening.error().code == EINVAL ? "; forms: unix:PATH, tcp:ADDRESS[:PORT], udp:ADDRESS[:PORT]" : ""));
  fmt::print("pipd: the key of this server is {}\n", doorkeeper->identity.key().text());
  fflush(stdout);
  umask(0);  // modes are the clients'
  if (auto ran = (*loop)->run(); !ran) return complain(describe(ran.error()));
  return EXIT_SUCCESS;
}

int run(Arguments& arguments) {
  Loop::block_signals();  // before there are threads, which would take them
  const bool is_store = !arguments.store.empty();
  const Opening served = is_store ? open_store(arguments) : open_export(arguments);
  if (!served) return complain(served.error());
  if (arguments.state.empty()) arguments.state = default_state(arguments);
  if (auto lock = take_state(arguments.state); !lock)
    return complain(lock.error().code == EWOULDBLOCK
                        ? fmt::format("'{}' is in use by another pipd; give --state", arguments.state)
                        : fmt::format("cannot keep sessions in '{}': {}", arguments.state, describe(lock.error())));
  return serve(arguments, *served);
}

}  // namespace
}  // namespace osp::pipd

int main(int argc, char** argv) {
  using namespace osp;
  CLI::App app("Serves a directory or a versioned store over πp.");
  pipd::Arguments arguments;
  CLI::Option_group& what = *app.add_option_group("what to serve");
  what.add_option("--export", arguments.directory, "A directory, as it stands")->type_name("DIR");
  what.add_option("--store", arguments.store,
                  "A versioned store in this directory, which is made if it is empty or not there")
      ->type_name("DIR");
  what.require_option(1);
  app.add_option("--listen", arguments.listen,
                 fmt::format("unix:PATH, tcp:ADDRESS[:PORT] or udp:ADDRESS[:PORT] (port {}); may be repeated",
                             pip::default_port))
      ->required()
      ->type_name("WHERE")
      ->allow_extra_args(false);
  app.add_option("--state", arguments.state,
                 "Where sessions are kept, so that they outlive this process (default: below $XDG_STATE_HOME/osp/pipd)")
      ->type_name("DIR");
  app.add_option("--keys", arguments.keys,
                 "Where this server's key is (default: ~/.config/osp); made if it is not there")
      ->type_name("DIR");
  app.add_option("--access", arguments.access,
                 "Who may do what: lines 'KEY r|rw /PATH' and 'revoked KEY|SERIAL' (default: 'access' beside the key)")
      ->type_name("FILE");
  app.add_flag("--in-clear", arguments.in_clear, "Let in whoever can connect, without a key, and do not seal");
  app.add_flag("--read-only", arguments.read_only, "Refuse every change");
  app.set_version_flag("--version", fmt::format("pipd {}", OSP_VERSION));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11's way of reporting
    return app.exit(error) == 0 ? EXIT_SUCCESS : pipd::status_usage;
  }
  if (const char* spec = getenv("OSP_LOG")) log::configure(spec);
  take_all_fds();
  return pipd::run(arguments);
}
