#include "libosp/command/root.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/result.h"

namespace osp::command {
namespace {

// Of the host in each root. The directories are made up where they are missing; a file is not, since the directory that
// it would lie in could then not be written to.
constexpr const char* host_directories[] = {"/proc", "/dev", "/sys", "/tmp"};
constexpr const char* host_files[] = {"/etc/resolv.conf", "/etc/hosts"};

std::unexpected<std::string> wrong(const std::string& where, const std::string& why) {
  return std::unexpected("--root " + where + ": " + why);
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("''") : std::string(1, c);
  return text + "'";
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// `folder`: the root on the host, empty if it is not there.
std::string host_parts(const std::string& folder) {
  std::string commands;
  for (const std::string path : host_directories)
    if (exists(path)) commands += "bind -p '#U" + path + "' " + path + "\n";
  for (const std::string path : host_files)
    if (exists(path) && (folder.empty() || exists(folder + "/etc")))
      commands += "bind -pr '#U" + path + "' " + path + "\n";
  return commands;
}

std::expected<std::string, std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char here[4096];
  if (getcwd(here, sizeof here) == nullptr) return wrong(path, "the current directory has no name");
  return std::string(here) + "/" + path;
}

std::expected<std::string, std::string> read_from(const std::string& unpacker, const std::string& archive,
                                                  char* const* envp) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return wrong(archive, describe(Error(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string name = "osp-unpack", argument = archive;
  char* const argv[] = {name.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawn(&child, unpacker.c_str(), &actions, nullptr, argv, envp);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; error == 0 && (size = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(size));
  close(ends[0]);
  if (error != 0) return wrong(archive, "cannot start " + unpacker + ": " + describe(Error(error)));
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status))
    return wrong(archive, std::string("osp-unpack was ended: SIG") + sigabbrev_np(WTERMSIG(status)));
  if (status != 0) return std::unexpected(std::string());
  return text;
}

}  // namespace

std::expected<Root, std::string> find_root(const std::string& where, bool bare, const std::string& unpacker,
                                           char* const* envp) {
  Root root;
  if (where.contains('\n')) return wrong(where, "a name with a line's end cannot be a root");
  if (where.contains("://") || where.starts_with('#')) {
    root.commands = "mount " + quoted(where) + " /\n" + (bare ? "" : host_parts({}));
    return root;
  }
  auto path = absolute(where);
  if (!path) return std::unexpected(path.error());
  struct stat status = {};
  if (stat(path->c_str(), &status) != 0)
    return wrong(where, std::string(describe(Error(errno))) +
                            "; give a directory, an archive, or a URL such as pip://HOST/TREE");
  if (S_ISREG(status.st_mode)) {
    const auto record = read_from(unpacker, *path, envp);
    if (!record) return std::unexpected(record.error());
    root.start = StartRecord::parse(*record);
    path = root.start.root;
  } else if (!S_ISDIR(status.st_mode)) {
    return wrong(where, "neither a directory nor an archive");
  }
  root.commands = "bind " + quoted("#U" + *path) + " /\n" + (bare ? "" : host_parts(*path));
  return root;
}

}  // namespace osp::command
