#include "tools/mount/unmount.h"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "pip/host_walk.h"
#include "tools/mount/door.h"

namespace osp::fuse {
namespace {

int complain(const std::string& text) {
  fmt::print(stderr, "osp: {}\n", text);
  return EXIT_FAILURE;
}

// Spaces and the like are \NNN, in octal.
std::string unescaped(const std::string& text) {
  constexpr size_t digits = 3;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + digits < text.size()) {
      out += static_cast<char>(strtol(text.substr(i + 1, digits).c_str(), nullptr, 8));
      i += digits;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Without a look at the directory itself: the process that would answer may be dead.
std::string absolute(const std::string& directory) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(directory, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const auto above = std::filesystem::canonical(path.parent_path(), error);
  return error ? path.string() : (above / path.filename()).string();
}

// The process that serves it; -1: it is dead, or not to be seen from here.
pip::HostFd server_of(const std::string& directory) {
  std::array<char, 16> pid = {};
  const ssize_t size =
      getxattr(directory.c_str(), std::string(Door::pid_attribute).c_str(), pid.data(), pid.size() - 1);
  return pip::HostFd(size > 0 ? static_cast<int>(syscall(SYS_pidfd_open, atoi(pid.data()), 0)) : -1);
}

// What fusermount3 has to say it prints itself.
bool run_fusermount(const std::string& directory, bool lazy) {
  std::string name = "fusermount3", flag = lazy ? "-uz" : "-u", end = "--", path = directory;
  std::array<char*, 5> words = {name.data(), flag.data(), end.data(), path.data(), nullptr};
  pid_t pid = 0;
  if (posix_spawnp(&pid, name.c_str(), nullptr, nullptr, words.data(), environ) != 0) {
    complain("only root can unmount without fusermount3: install the package fuse3");
    return false;
  }
  int status = 0;
  return waitpid(pid, &status, 0) == pid && status == 0;
}

void wait_for_end(const pip::HostFd& process) {
  constexpr int patience_ms = 2000;
  pollfd ended = {.fd = process.get(), .events = POLLIN, .revents = 0};
  if (process.get() < 0 || poll(&ended, 1, patience_ms) != 0) return;
  fmt::print(stderr, "osp: it is unmounted, and waits for the server to take what was written\n");
  poll(&ended, 1, -1);
}

}  // namespace

std::vector<MountPoint> parse_mounts(const std::string& text) {
  std::vector<MountPoint> mounts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
    const auto dash = std::ranges::find(fields, "-");
    constexpr size_t directory = 4;
    if (fields.size() <= directory || fields.end() - dash < 3) continue;
    mounts.push_back({.directory = unescaped(fields[directory]), .type = dash[1], .source = unescaped(dash[2])});
  }
  return mounts;
}

void detach(const std::string& directory) {
  if (geteuid() == 0) {
    if (umount2(directory.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0)
      complain(fmt::format("cannot unmount '{}': {}", directory, strerror(errno)));
  } else {
    run_fusermount(directory, true);
  }
}

int unmount(const std::string& directory, bool lazy) {
  const std::string path = absolute(directory);
  std::ifstream file("/proc/self/mountinfo");
  const auto mounts = parse_mounts({std::istreambuf_iterator<char>(file), {}});
  const auto found = std::ranges::find(mounts.rbegin(), mounts.rend(), path, &MountPoint::directory);
  if (found == mounts.rend() || found->type != "fuse.osp")
    return complain(fmt::format("'{}' is not a mount of osp's (findmnt -t fuse.osp lists them)", directory));
  const pip::HostFd server = server_of(path);
  if (geteuid() == 0) {
    if (umount2(path.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) != 0)
      return complain(
          fmt::format("cannot unmount '{}': {}{}", directory, strerror(errno),
                      errno == EBUSY ? "; fuser -vm tells who uses it, --lazy takes it away all the same" : ""));
  } else if (!run_fusermount(path, lazy)) {
    return complain(
        fmt::format("cannot unmount '{}'; where it is in use, fuser -vm tells by whom, and --lazy takes it away "
                    "all the same",
                    directory));
  }
  if (!lazy) wait_for_end(server);
  return EXIT_SUCCESS;
}

}  // namespace osp::fuse
