#include "tools/pip_store.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "pip/host_tree.h"
#include "pip/store/check.h"
#include "pip/store/collect.h"
#include "pip/store/store_tree.h"
#include "tools/pip_print.h"
#include "tools/pip_transfer.h"

namespace osp::piptool {
namespace {

using pip::store::Store;
using pip::store::StoreTree;

struct StoreOptions {
  std::string directory;
  std::string other;  // what is imported, or where to export
  std::string keep;
  std::string at;
  bool json = false;
};

Outcome<std::unique_ptr<Store>> open_store(const std::string& directory, bool may_create) {
  std::string why;
  auto store = Store::open(directory, {.may_create = may_create}, why);
  if (!store) return std::unexpected(Failure{why});
  return std::move(*store);
}

int report(const Outcome<int>& status) {
  if (!status) fmt::print(stderr, "pip: {}\n", status.error().what);
  return status ? *status : EXIT_FAILURE;
}

Outcome<int> check(const StoreOptions& options) {
  OSP_ASSIGN(const auto store, open_store(options.directory, false));
  pip::store::CheckResult found;
  {
    Progress bar("check", store->chunks().stored_bytes());
    auto checked = pip::store::check(*store, [&](uint64_t done, uint64_t) { bar.show(done); });
    if (!checked) return failure("check", options.directory, checked.error().code);
    found = std::move(*checked);
  }
  if (options.json) {
    std::string wrong;
    for (const std::string& one : found.wrong) wrong += (wrong.empty() ? "" : ", ") + json_string(one);
    fmt::print(
        "{{\"files\": {}, \"directories\": {}, \"versions\": {}, \"chunks\": {}, \"bytes\": {}, \"wrong\": [{}]}}\n",
        found.files, found.directories, found.versions, found.chunks, found.bytes, wrong);
  } else {
    for (const std::string& one : found.wrong) fmt::print("{}\n", one);
    fmt::print("{}: {} files, {} directories, {} versions, {} chunks of {} bytes: {}\n", options.directory, found.files,
               found.directories, found.versions, found.chunks, found.bytes,
               found.wrong.empty() ? "all is whole" : fmt::format("{} wrong", found.wrong.size()));
  }
  return found.wrong.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

Outcome<int> gc(const StoreOptions& options) {
  const auto retention = pip::store::Retention::parse(options.keep);
  if (!retention) return std::unexpected(Failure{retention.error()});
  OSP_ASSIGN(const auto store, open_store(options.directory, false));
  const auto done = pip::store::collect(*store, *retention);
  if (!done) return failure("collect what is not kept in", options.directory, done.error().code);
  if (options.json) {
    fmt::print("{{\"versions\": {}, \"records\": {}, \"chunks\": {}, \"bytes\": {}}}\n", done->versions, done->records,
               done->chunks, done->bytes);
  } else {
    fmt::print("{}: dropped {} versions, {} records and {} chunks; {} bytes are free\n", options.directory,
               done->versions, done->records, done->chunks, done->bytes);
  }
  return EXIT_SUCCESS;
}

Outcome<int> show(const StoreOptions& options) {
  OSP_ASSIGN(const auto store, open_store(options.directory, false));
  uint64_t inodes = 0;
  uint64_t versions = 0;
  uint64_t bytes = 0;
  uint64_t now = 0;
  auto counted = pip::store::for_each(store->metadata(), "v", [&](auto, auto value) -> Result<void> {
    OSP_ASSIGN(const auto version, pip::store::decode_version(value));
    ++versions, bytes += version.size;
    return {};
  });
  if (counted)
    counted = pip::store::for_each(store->metadata(), "i", [&](auto, auto value) -> Result<void> {
      OSP_ASSIGN(const auto inode, pip::store::decode_inode(value));
      ++inodes, now += inode.committed.size;
      return {};
    });
  if (!counted) return failure("read", options.directory, counted.error().code);
  const uint64_t packs = store->chunks().stored_bytes();
  if (options.json) {
    fmt::print(
        "{{\"files\": {}, \"bytes\": {}, \"versions\": {}, \"bytes_of_versions\": {}, \"bytes_of_packs\": {}}}\n",
        inodes, now, versions, bytes, packs);
  } else {
    fmt::print("{}: {} files and directories of {} bytes, {} versions of {} bytes, {} bytes of packs\n",
               options.directory, inodes, now, versions, bytes, packs);
  }
  return EXIT_SUCCESS;
}

Outcome<std::unique_ptr<pip::HostTree>> host(const std::string& directory) {
  auto tree = pip::HostTree::create(std::filesystem::absolute(directory).string(), {.special_files = false});
  if (!tree) return failure("open", directory, tree.error().code);
  return std::move(*tree);
}

Outcome<int> moved(pip::Server& from, pip::Server& to, const std::string& name) {
  Progress bar(name, isatty(STDERR_FILENO) == 1 ? bytes_below(from) : 0);
  OSP_ASSIGN(const Transferred done, transfer(from, to, [&](uint64_t bytes) { bar.show(bytes); }));
  if (done.not_kept > 0)
    fmt::print(stderr, "pip: {} owners or attributes could not be kept (are you root?)\n", done.not_kept);
  return EXIT_SUCCESS;
}

Outcome<int> import_tree(const StoreOptions& options) {
  OSP_ASSIGN(const auto from, host(options.other));
  OSP_ASSIGN(const auto store, open_store(options.directory, true));
  StoreTree tree(*store, options.directory);
  OSP_ASSIGN(const int status, moved(*from, tree, "import"));
  if (auto synced = store->sync(); !synced) return failure("write", options.directory, synced.error().code);
  return status;
}

Outcome<int> export_tree(const StoreOptions& options) {
  OSP_ASSIGN(const auto store, open_store(options.directory, false));
  StoreTree tree(*store, options.directory);
  std::unique_ptr<pip::Server> past;
  if (!options.at.empty()) {
    const auto time = pip::store::parse_time(options.at);
    if (!time) return std::unexpected(Failure{fmt::format("'{}' is no time (UTC)", options.at)});
    past = tree.as_of(*time);
  }
  if (mkdir(options.other.c_str(), 0777) != 0 && errno != EEXIST) return failure("make", options.other, errno);
  OSP_ASSIGN(const auto to, host(options.other));
  umask(0);
  return moved(past ? *past : static_cast<pip::Server&>(tree), *to, "export");
}

struct StoreCommand {
  const char* name;
  const char* help;
  Outcome<int> (*run)(const StoreOptions&);
};

constexpr StoreCommand commands[] = {
    {"check", "Read everything in a store, and name what is not whole", check},
    {"gc", "Drop what need not be kept", gc},
    {"stat", "Show how much is in a store", show},
    {"import", "Copy a directory's tree into a store, which is made if it is not there", import_tree},
    {"export", "Copy a store's tree into a directory", export_tree},
};

void add_options(CLI::App& sub, std::string_view name, StoreOptions& options) {
  sub.add_option("store", options.directory, "DIR")->required();
  if (name == "import") sub.add_option("from", options.other, "FROM")->required();
  if (name == "export") {
    sub.add_option("to", options.other, "TO")->required();
    sub.add_option("--at", options.at, "As it was then (UTC): 2026-10-01[T12:30[:15]], or seconds since the epoch")
        ->type_name("TIME");
  }
  if (name == "gc")
    sub.add_option("--keep", options.keep, "all, or what to keep: last=N,for=TIME,hourly=TIME,daily=TIME,weekly=TIME")
        ->required()
        ->type_name("RULES");
  if (name == "check" || name == "gc" || name == "stat") sub.add_flag("--json", options.json, "Print JSON");
}

}  // namespace

void add_store_commands(CLI::App& app, int& status) {
  CLI::App* const all = app.add_subcommand("store", "Look after a versioned store, while no pipd serves it");
  all->require_subcommand(1);
  for (const StoreCommand& command : commands) {
    CLI::App* const sub = all->add_subcommand(command.name, command.help);
    auto options = std::make_shared<StoreOptions>();
    add_options(*sub, command.name, *options);
    sub->callback([&status, options, run = command.run] { status = report(run(*options)); });
  }
}

}  // namespace osp::piptool
