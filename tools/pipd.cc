// pipd: serves a directory over πp.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/fd_limit.h"
#include "base/log.h"
#include "pip/host_tree.h"
#include "tools/pipd_loop.h"

namespace osp::pipd {
namespace {

struct Arguments {
  std::string directory;
  std::vector<std::string> listen;
  std::string state;
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
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(error.value());
  chmod(directory.c_str(), 0700);
  const int fd = open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(errno);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) return fail(errno);
  return fd;
}

Result<void> listen_all(const Arguments& arguments, Loop& loop, std::string& wrong) {
  for (const std::string& text : arguments.listen) {
    wrong = text;
    OSP_ASSIGN(pip::Address address, pip::parse_address(text));
    OSP_ASSIGN(pip::HostFd listener, pip::listen_stream(address));
    OSP_TRY(loop.add_listener(std::move(listener)));
    fmt::print("pipd: serving {} on {}\n", arguments.directory, address.text());
  }
  fflush(stdout);
  return {};
}

int serve(Arguments& arguments) {
  char* const real = realpath(arguments.directory.c_str(), nullptr);
  if (real == nullptr) return complain(fmt::format("cannot export '{}': {}", arguments.directory, strerror(errno)));
  arguments.directory = real;
  free(real);
  auto tree = pip::HostTree::create(
      arguments.directory, {.read_only = arguments.read_only, .special_files = false, .name = arguments.directory});
  if (!tree) return complain(fmt::format("cannot export '{}': {}", arguments.directory, describe(tree.error())));
  if (arguments.state.empty()) arguments.state = default_state(arguments);
  if (auto lock = take_state(arguments.state); !lock)
    return complain(lock.error().code == EWOULDBLOCK
                        ? fmt::format("'{}' is in use by another pipd; give --state", arguments.state)
                        : fmt::format("cannot keep sessions in '{}': {}", arguments.state, describe(lock.error())));
  pip::FileJournalStore journals(arguments.state);
  auto server = pip::SessionServer::create(**tree, journals, {}, Loop::now_s());
  if (!server)
    return complain(fmt::format("cannot load sessions from '{}': {}", arguments.state, describe(server.error())));
  auto loop = Loop::create(**server);
  if (!loop) return complain(describe(loop.error()));
  std::string wrong;
  if (auto listening = listen_all(arguments, **loop, wrong); !listening)
    return complain(fmt::format("cannot listen on '{}': {}{}", wrong, describe(listening.error()),
                                listening.error().code == EINVAL ? "; forms: unix:PATH, tcp:ADDRESS:PORT" : ""));
  if (auto ran = (*loop)->run(); !ran) return complain(describe(ran.error()));
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace osp::pipd

int main(int argc, char** argv) {
  using namespace osp;
  CLI::App app("Serves a directory over πp.");
  pipd::Arguments arguments;
  app.add_option("--export", arguments.directory, "The directory to serve")->required()->type_name("DIR");
  app.add_option("--listen", arguments.listen,
                 fmt::format("unix:PATH or tcp:ADDRESS[:PORT] (port {}); may be repeated", pip::default_port))
      ->required()
      ->type_name("WHERE")
      ->allow_extra_args(false);
  app.add_option("--state", arguments.state,
                 "Where sessions are kept, so that they outlive this process (default: below $XDG_STATE_HOME/osp/pipd)")
      ->type_name("DIR");
  app.add_flag("--read-only", arguments.read_only, "Refuse every change");
  app.set_version_flag("--version", fmt::format("pipd {}", OSP_VERSION));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11's way of reporting
    return app.exit(error) == 0 ? EXIT_SUCCESS : pipd::status_usage;
  }
  if (const char* spec = getenv("OSP_LOG")) log::configure(spec);
  umask(0);
  take_all_fds();
  return pipd::serve(arguments);
}
