// osp key, osp delegate: this user's key, whom it trusts, and what it passes on.
#include "tools/osp_key.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "pip/packing.h"
#include "pip/secure/access_rules.h"
#include "pip/secure/key_store.h"
#include "pip/url.h"
#include "tools/until.h"

namespace osp::tools {
namespace {

using pip::DelegationChain;
using pip::Identity;
using pip::KeyStore;
using pip::PublicKey;

struct Options {
  std::string keys, key, rights = "r", path = "/", server, what, file, from, until = "1d";
  unsigned more = 0;
  bool json = false;

  [[nodiscard]] KeyStore store() const { return KeyStore(keys.empty() ? KeyStore::default_directory() : keys); }
};

int complain(const std::string& text) {
  fmt::print(stderr, "osp: {}\n", text);
  return EXIT_FAILURE;
}

int complain_about_key(const KeyStore& store, Error error) {
  switch (error.code) {
    case ENOENT:
      return complain(fmt::format("there is no key in '{}' yet; make one: osp key make", store.path("key")));
    case EACCES:
      return complain(fmt::format("'{}' is not used: others may read it; if nobody has: chmod 600", store.path("key")));
    case EBADMSG:
      return complain(fmt::format("'{}' is no key", store.path("key")));
    default:
      return complain(fmt::format("cannot use '{}': {}", store.path("key"), describe(error)));
  }
}

// "/a/b" as Server wants it.
Result<std::string> clean_path(std::string_view text) {
  while (text.starts_with('/')) text.remove_prefix(1);
  while (text.ends_with('/')) text.remove_suffix(1);
  OSP_TRY(pip::check_path(text));
  return std::string(text);
}

Result<std::string> read_all(const std::string& file) {
  if (file != "-") return pip::read_small_file(file);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

int make(const Options& options) {
  const KeyStore store = options.store();
  if (const auto there = store.identity(); there || there.error().code != ENOENT)
    return complain(
        fmt::format("'{}' is there already; remove it first, if nothing needs it any more", store.path("key")));
  const auto made = store.identity_or_new();
  if (!made) return complain_about_key(store, made.error());
  fmt::print("{}\n", made->key().text());
  return EXIT_SUCCESS;
}

int show(const Options& options) {
  const KeyStore store = options.store();
  const auto identity = store.identity();
  if (!identity) return complain_about_key(store, identity.error());
  if (options.json) {
    fmt::print("{}\n", nlohmann::json({{"key", identity->key().text()}, {"file", store.path("key")}}).dump());
  } else {
    fmt::print("{}\n", identity->key().text());
  }
  return EXIT_SUCCESS;
}

// Adds a line to the rules, which stay whole whatever happens.
int add_rule(const KeyStore& store, const std::string& line) {
  if (const auto made = store.identity_or_new(); !made) return complain_about_key(store, made.error());
  const std::string path = store.path("access");
  const auto lock = pip::FileLock::take(path);
  if (!lock) return complain(fmt::format("cannot lock '{}': {}", path, describe(lock.error())));
  const auto before = pip::read_small_file(path);
  if (!before && before.error().code != ENOENT)
    return complain(fmt::format("cannot read '{}': {}", path, describe(before.error())));
  std::string text = before ? *before : std::string();
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  if (const auto written = pip::write_small_file(path, text + line + "\n", 0600); !written)
    return complain(fmt::format("cannot write '{}': {}", path, describe(written.error())));
  fmt::print("{}: {}\n", path, line);
  return EXIT_SUCCESS;
}

int know_server(const Options& options, const PublicKey& key) {
  const auto address = pip::parse_address("tcp:" + options.server);
  if (!address) return complain(fmt::format("'{}' is no HOST[:PORT]", options.server));
  const KeyStore store = options.store();
  if (const auto known = store.know_server(address->text(), key); !known)
    return complain(fmt::format("cannot write '{}': {}", store.path("known_servers"), describe(known.error())));
  return EXIT_SUCCESS;
}

int trust(const Options& options) {
  const auto key = PublicKey::parse(options.key);
  if (!key) return complain(fmt::format("'{}' is no key (osp1:…)", options.key));
  if (!options.server.empty()) return know_server(options, *key);
  const auto path = clean_path(options.path);
  if (!path) return complain(fmt::format("'{}' is no plain path", options.path));
  const auto line = pip::AccessRules::line(*key, {.path = *path, .may_write = options.rights == "rw"});
  if (!line)
    return complain(
        fmt::format("'{}' cannot be written in the file of rules: it has a # or a newline, or "
                    "blanks at an end",
                    options.path));
  return add_rule(options.store(), *line);
}

int revoke(const Options& options) {
  const auto line = pip::AccessRules::revocation(options.what);
  if (!line) return complain(fmt::format("'{}' is no key (osp1:…) and no serial of a delegation", options.what));
  return add_rule(options.store(), *line);
}

nlohmann::json describe_link(const pip::Delegation& link) {
  return {{"from", link.from.text()},
          {"to", link.to.text()},
          {"server", link.server ? nlohmann::json(link.server->text()) : nlohmann::json()},
          {"path", "/" + link.path},
          {"rights", link.may_write ? "rw" : "r"},
          {"until", moment_text(link.until_s)},
          {"more", link.more},
          {"serial", link.serial_text()}};
}

Result<DelegationChain> read_chain(const std::string& file) {
  OSP_ASSIGN(const std::string text, read_all(file));
  return DelegationChain::parse(text);
}

int complain_about_chain(const std::string& file, Error error) {
  if (error.code == EBADMSG) return complain(fmt::format("'{}' is no delegation, or it is damaged", file));
  if (error.code == EPERM) return complain(fmt::format("'{}' gives more than its giver had", file));
  return complain(fmt::format("cannot read '{}': {}", file, describe(error)));
}

int inspect(const Options& options) {
  const auto chain = read_chain(options.file);
  if (!chain) return complain_about_chain(options.file, chain.error());
  nlohmann::json all = nlohmann::json::array();
  for (const pip::Delegation& link : chain->links()) all.push_back(describe_link(link));
  if (options.json) return fmt::print("{}\n", all.dump()), EXIT_SUCCESS;
  for (const pip::Delegation& link : chain->links())
    fmt::print(
        "{}\n  to      {}\n  server  {}\n  path    /{}\n  rights  {}\n  until   {}\n  more    {}\n  serial  {}\n",
        link.from.text(), link.to.text(), link.server ? link.server->text() : "any", link.path,
        link.may_write ? "rw" : "r", moment_text(link.until_s), link.more, link.serial_text());
  return EXIT_SUCCESS;
}

int accept(const Options& options) {
  const KeyStore store = options.store();
  const auto identity = store.identity_or_new();
  if (!identity) return complain_about_key(store, identity.error());
  const auto chain = read_chain(options.file);
  if (!chain) return complain_about_chain(options.file, chain.error());
  if (chain->holder() != identity->key())
    return complain(fmt::format("this delegation is for {}, and the key here is {}", chain->holder().text(),
                                identity->key().text()));
  if (const auto kept = store.keep_delegation(*chain); !kept)
    return complain(fmt::format("cannot write to '{}': {}", store.path("delegations"), describe(kept.error())));
  return EXIT_SUCCESS;
}

std::expected<DelegationChain::Wish, std::string> wish_of(const Options& options) {
  DelegationChain::Wish wish;
  const auto to = PublicKey::parse(options.key);
  if (!to) return std::unexpected(fmt::format("'{}' is no key (osp1:…)", options.key));
  wish.to = *to;
  if (!options.server.empty()) {
    const auto server = PublicKey::parse(options.server);
    if (!server) return std::unexpected(fmt::format("'{}' is no key (osp1:…)", options.server));
    wish.server = *server;
  }
  const auto path = clean_path(options.path);
  if (!path) return std::unexpected(fmt::format("'{}' is no plain path", options.path));
  wish.path = *path;
  wish.may_write = options.rights == "rw";
  const auto until = parse_until(options.until, std::time(nullptr));
  if (!until)
    return std::unexpected(
        fmt::format("'{}' is no time to come: 30m, 12h, 7d, 2027-01-31, 2027-01-31T18:00", options.until));
  wish.until_s = *until;
  wish.more = static_cast<uint8_t>(options.more);
  return wish;
}

int delegate(const Options& options) {
  const KeyStore store = options.store();
  const auto identity = store.identity();
  if (!identity) return complain_about_key(store, identity.error());
  const auto wish = wish_of(options);
  if (!wish) return complain(wish.error());
  DelegationChain before;
  if (!options.from.empty()) {
    const auto read = read_chain(options.from);
    if (!read) return complain_about_chain(options.from, read.error());
    before = *read;
  }
  const auto chain = DelegationChain::extend(before, *identity, *wish);
  if (!chain && chain.error().code == EKEYREJECTED)
    return complain(fmt::format("'{}' was not given to the key here, {}", options.from, identity->key().text()));
  if (!chain) return complain(fmt::format("'{}' does not allow that much to be passed on", options.from));
  fmt::print("{}\n", chain->text());
  return EXIT_SUCCESS;
}

CLI::App* command(CLI::App& app, const char* name, const char* help, Options& options, int& status,
                  int (*run)(const Options&)) {
  CLI::App* const sub = app.add_subcommand(name, help);
  sub->add_option("--keys", options.keys, "Where the keys are (default: ~/.config/osp)")->type_name("DIR");
  sub->callback([&options, &status, run] { status = run(options); });
  return sub;
}

void add_rights(CLI::App* sub, Options& options) {
  sub->add_option("--rights", options.rights, "r or rw (default: r)")
      ->type_name("RIGHTS")
      ->check(CLI::IsMember({"r", "rw"}));
  sub->add_option("--path", options.path, "What the rights are to, with all below it (default: /)")->type_name("PATH");
}

void add_delegate(CLI::App& app, Options& options, int& status) {
  CLI::App* const sub =
      command(app, "delegate", "Pass some of this key's rights on to another key; prints the delegation", options,
              status, delegate);
  sub->add_option("--to", options.key, "Who may act for this key")->required()->type_name("KEY");
  add_rights(sub, options);
  sub->add_option("--until", options.until, "30m, 12h, 7d, or a moment in UTC (default: 1d)")->type_name("TIME");
  sub->add_option("--server", options.server, "Only on the server with this key")->type_name("KEY");
  sub->add_option("--more", options.more, "How often it may be passed on (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 255));
  sub->add_option("--from", options.from, "A delegation to this key, of which some is passed on")->type_name("FILE");
}

}  // namespace

void add_key_commands(CLI::App& app, int& status) {
  static Options options;  // one command line a process
  CLI::App* const key = app.add_subcommand("key", "This user's key, and whose it trusts");
  key->require_subcommand(1);
  command(*key, "make", "Make a key; prints its public half", options, status, make);
  command(*key, "show", "Print the public half", options, status, show)->add_flag("--json", options.json, "Print JSON");
  CLI::App* sub = command(*key, "trust", "Let a key in to what this user serves, or know a server by its key", options,
                          status, trust);
  sub->add_option("key", options.key, "The key")->required()->type_name("KEY");
  add_rights(sub, options);
  sub->add_option("--server", options.server, "It is this server's")->type_name("HOST[:PORT]");
  sub = command(*key, "revoke", "Let a key, or who has a delegation, in no more", options, status, revoke);
  sub->add_option("what", options.what, "The key, or the delegation's serial")->required()->type_name("KEY|SERIAL");
  sub = command(*key, "accept", "Keep a delegation to this key, to show it to servers", options, status, accept);
  sub->add_option("file", options.file, "The delegation; - for standard input")->required()->type_name("FILE");
  sub = command(*key, "inspect", "Print what a delegation gives to whom", options, status, inspect);
  sub->add_option("file", options.file, "The delegation; - for standard input")->required()->type_name("FILE");
  sub->add_flag("--json", options.json, "Print JSON");
  add_delegate(app, options, status);
}

}  // namespace osp::tools
