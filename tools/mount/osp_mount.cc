// osp mount and osp unmount.
#include "tools/mount/osp_mount.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "pip/secure/key_store.h"
#include "tools/mount/background.h"
#include "tools/mount/service.h"
#include "tools/mount/unmount.h"

namespace osp::fuse {
namespace {

struct Arguments {
  std::string url, directory, log;
  std::vector<std::string> options;
  bool foreground = false, allow_other = false, lazy = false;
};

std::unexpected<std::string> wrong(std::string text) { return std::unexpected(std::move(text)); }

std::expected<Door::Options, std::string> door_options(const Arguments& arguments) {
  Door::Options options{.source = arguments.url, .read_only = false, .allow_other = arguments.allow_other};
  for (const std::string& one : arguments.options) {
    if (one == "ro" || one == "rw") {
      options.read_only = one == "ro";
    } else if (one == "allow_other") {
      options.allow_other = true;
    } else {
      return wrong(fmt::format("unknown option '-o {}'; there are ro, rw and allow_other", one));
    }
  }
  return options;
}

// Its name from the root, since the process that serves it leaves the directory it is in.
std::expected<std::string, std::string> mount_point(const std::string& directory) {
  const auto refused = [&](int code) {
    const std::string remedy =
        code == ENOTCONN ? "; the process of an earlier mount is dead: osp unmount it first" : "";
    return wrong(fmt::format("cannot mount on '{}': {}{}", directory, strerror(code), remedy));
  };
  struct stat st = {};
  if (stat(directory.c_str(), &st) != 0) return refused(errno);
  if (!S_ISDIR(st.st_mode)) return refused(ENOTDIR);
  char* const real = realpath(directory.c_str(), nullptr);
  if (real == nullptr) return refused(errno);
  std::string path = real;
  free(real);
  return path;
}

// Where the line breaks, the process that serves the mount would wait for itself.
std::expected<void, std::string> holds_nothing_of_ours(const std::string& directory, const pip::Url& url) {
  const char* const agent = getenv("OSP_AGENT");
  const std::array<std::pair<const char*, std::string>, 3> needed = {
      {{"the keys", url.address.is_sealed() ? pip::KeyStore::default_directory() : ""},
       {"the agent's socket ($OSP_AGENT)", url.address.is_sealed() && agent != nullptr ? agent : ""},
       {"the server's socket", url.address.unix_path}}};
  for (const auto& [what, path] : needed) {
    if (path.empty()) continue;
    std::error_code error;
    const std::string real = std::filesystem::weakly_canonical(path, error).string();
    if (error || (real != directory && !real.starts_with(directory == "/" ? directory : directory + "/"))) continue;
    return wrong(fmt::format("cannot mount on '{}': {} would be hidden below it, '{}'; mount it elsewhere", directory,
                             what, path));
  }
  return {};
}

std::expected<void, std::string> log_to(const std::string& path) {
  if (path.empty()) return {};
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);  // open until the end
  if (fd < 0) return wrong(fmt::format("cannot write '{}': {}", path, strerror(errno)));
  log::set_fd(fd);
  return {};
}

std::expected<int, std::string> mount(const Arguments& arguments) {
  const auto url = pip::parse_url(arguments.url);
  if (!url)
    return wrong(
        fmt::format("'{}' is not the name of a tree; forms: pip://HOST[:PORT]/path, pip+clear://HOST[:PORT]/path, "
                    "pip+unix:///path/of/socket!/path",
                    arguments.url));
  const auto options = door_options(arguments);
  if (!options) return wrong(options.error());
  const auto directory = mount_point(arguments.directory);
  if (!directory) return wrong(directory.error());
  if (const auto free = holds_nothing_of_ours(*directory, *url); !free) return wrong(free.error());
  if (const auto logged = log_to(arguments.log); !logged) return wrong(logged.error());
  have_streams();
  Service service;
  const auto start = [&] { return service.start(*url, *directory, *options); };
  const auto serve = [&] { return service.serve(); };
  if (!arguments.foreground) return in_background(start, serve);
  if (const auto started = start(); !started) return wrong(started.error());
  return serve();
}

}  // namespace

void add_mount_commands(CLI::App& app, int& status) {
  const auto arguments = std::make_shared<Arguments>();
  auto* const mounts = app.add_subcommand("mount", "Mount a remote tree on a directory, for all programs");
  mounts->add_option("url", arguments->url, "pip://HOST[:PORT]/path or another form of it")->required();
  mounts->add_option("dir", arguments->directory, "Where it is to be seen")->required();
  mounts->add_flag("-f,--foreground", arguments->foreground, "Stay, and serve until it is unmounted");
  mounts->add_option("-o", arguments->options, "ro, rw, allow_other; separated by commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("OPTION");
  mounts->add_flag("--allow-other", arguments->allow_other, "Let other users in, as the modes of the files say");
  mounts->add_option("--log", arguments->log, "Where to write what goes wrong later")->type_name("FILE");
  mounts->callback([arguments, &status] {
    const auto mounted = mount(*arguments);
    if (!mounted) fmt::print(stderr, "osp: {}\n", mounted.error());
    status = mounted ? *mounted : EXIT_FAILURE;
  });
  auto* const unmounts = app.add_subcommand("unmount", "Take such a mount away, once the server has all");
  unmounts->add_option("dir", arguments->directory, "Where it is")->required();
  unmounts->add_flag("-l,--lazy", arguments->lazy, "Though it is in use, and without waiting");
  unmounts->callback([arguments, &status] { status = unmount(arguments->directory, arguments->lazy); });
}

}  // namespace osp::fuse
