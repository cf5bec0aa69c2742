#include "libosp/file/names.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/proc.h"
#include "libosp/file/servers.h"
#include "libosp/host/host.h"
#include "libosp/task/process.h"
#include "namespace/host_name.h"

namespace osp::file {
namespace {

std::shared_ptr<pip::Server> host_root() {
  auto tree = host_tree();
  if (!tree) {
    log::error("core", "the host's root cannot be opened: {}", describe(tree.error()));
    host::end(125);
  }
  return std::move(*tree);
}

Result<std::string> read_host_file(const std::string& path) {
  const long fd = raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(static_cast<int>(-fd));
  std::string text;
  char buffer[4096];
  long size = 0;
  while ((size = raw::read(static_cast<int>(fd), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(size));
  raw::close(static_cast<int>(fd));
  if (size < 0) return fail(static_cast<int>(-size));
  return text;
}

// `mounts` and `binds`: how many there were before.
ns::NsResult<std::vector<ns::Command>> parse(const host::NamespaceOption& option, const ns::NsSources& sources,
                                             unsigned& mounts, unsigned& binds) {
  using Kind = host::NamespaceOption::Kind;
  if (option.kind == Kind::file) return ns::parse_ns_file(option.text, sources);
  if (option.kind == Kind::contents) return ns::parse_ns_text(option.text, option.name, sources);
  auto command = option.kind == Kind::mount ? ns::parse_mount_option(option.text, ++mounts)
                                            : ns::parse_bind_option(option.text, ++binds);
  if (!command) return std::unexpected(command.error());
  return std::vector<ns::Command>{std::move(*command)};
}

std::string host_cwd() {
  char buffer[4096];
  const long size = raw::syscall(SYS_getcwd, buffer, sizeof buffer);
  return size > 0 && buffer[0] == '/' ? std::string(buffer) : "/";
}

}  // namespace

Names::Names() : space_(std::make_shared<ns::Namespace>(host_root())) {}

bool Names::is_plain(std::string_view path) const {
  return only_host() && !(path.starts_with("/proc/") && is_core_proc(path));
}

ns::Request Names::Held::request(bool follow, uint64_t resolve) const {
  ns::Request request;
  request.base = base, request.path = path, request.root = root, request.follow = follow, request.resolve = resolve;
  return request;
}

std::string Names::cwd() const { return cwd_.empty() ? host_cwd() : cwd_; }

std::string Names::name_of(std::string path) const {
  if (only_host() || !path.starts_with('/')) return path;
  auto name = ns::name_of_host_path(*table(), path);
  return name ? std::move(*name) : path;
}

Result<void> Names::change_directory(ns::Request where) {
  const std::string with_slash = std::string(where.path) + "/";  // ENOTDIR for anything but a directory
  if (!where.path.empty()) where.path = with_slash;
  OSP_ASSIGN(const ns::FoundPlace found, ns::stat(table(), where));
  const ns::Place& place = found.place;
  if (const auto host = place.host_path(); host && !place.is_merged())
    if (const long error = raw::syscall(SYS_chdir, host->c_str()); error < 0) return fail(static_cast<int>(-error));
  if (!only_host()) cwd_ = place.path();
  return {};
}

Result<Names::Held> Names::hold(int directory_fd, std::string path) const {
  Held held;
  held.root = root_;
  held.path = std::move(path);
  if (held.path.starts_with('/')) {
    held.base = root_;
  } else if (directory_fd == AT_FDCWD) {
    held.base = cwd();
  } else {
    const Files& files = *task::process().files;
    if (const Description* served = files.find(directory_fd)) {
      held.base = served->path();
    } else if (const std::string* directory = files.directory_path(directory_fd)) {
      held.base = *directory;
    } else {
      held.base = host_path_of(directory_fd);
    }
    if (held.base.empty()) return fail(EBADF);
    if (!held.base.starts_with('/')) return fail(ENOTDIR);
  }
  return held;
}

ns::NsResult<void> Names::apply(const host::BootBlock& boot, const std::vector<std::string>& environment,
                                ns::ServerFactory& servers) {
  const auto variable = [&](std::string_view name) -> std::optional<std::string> {
    for (const std::string& entry : environment)
      if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
        return entry.substr(name.size() + 1);
    return std::nullopt;
  };
  const auto read = [](const std::string& path) { return read_host_file(path); };
  const ns::NsSources sources = {read, variable};
  const std::string here = cwd();
  unsigned mounts = 0, binds = 0;
  for (size_t i = 0; i < boot.option_count; ++i) {
    const host::NamespaceOption& option = boot.options[i];
    const auto commands = parse(option, sources, mounts, binds);
    if (!commands) return std::unexpected(commands.error());
    if (auto applied = ns::apply(*commands, *space_, servers, here, root_); !applied) return applied;
  }
  if (!space_->only_host()) cwd_ = here;
  return {};
}

}  // namespace osp::file
