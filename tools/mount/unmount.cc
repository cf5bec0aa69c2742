#include "tools/mount/unmount.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
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

#include "base/log.h"
#include "tools/mount/end_report.h"
#include "tools/mount/service.h"

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

// The status to end with.
int wait_for_end(Result<EndWatch> process, const std::string& directory) {
  constexpr int64_t soon_ms = 2000;
  if (!process && process.error().code == ENOTCONN) return EXIT_SUCCESS;  // it was dead before
  if (!process)
    return complain(
        fmt::format("'{}' is unmounted; whether the server has all that was written is not known, since "
                    "the process that serves it is not heard from here: {}",
                    directory, describe(process.error())));
  auto end = process->await(soon_ms);
  if (!end) {
    fmt::print(stderr, "osp: it is unmounted, and waits for the server to take what was written\n");
    end = process->await(Service::most_patience_ms + soon_ms);
  }
  if (!end)
    return complain(
        fmt::format("'{}' is unmounted; its process, {}, still has not ended, and what was written last may "
                    "not be on the server",
                    directory, process->process()));
  if (!end->has_told)
    return complain(
        fmt::format("'{}' is unmounted; its process has been ended by something else, and what was written "
                    "last may not be on the server",
                    directory));
  return end->lost.empty() ? EXIT_SUCCESS : complain(end->lost);
}

// Of the options of a FUSE mount.
uid_t owner_in(const std::string& options) {
  constexpr std::string_view key = "user_id=";
  const size_t at = options.find(key);
  return at == std::string::npos ? 0 : static_cast<uid_t>(strtoul(options.c_str() + at + key.size(), nullptr, 10));
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
    mounts.push_back({.id = atoi(fields[0].c_str()),
                      .directory = unescaped(fields[directory]),
                      .type = dash[1],
                      .source = unescaped(dash[2]),
                      .owner = fields.end() - dash > 3 ? owner_in(dash[3]) : 0});
  }
  return mounts;
}

std::optional<MountPoint> mount_on(const std::string& directory) {
  std::ifstream file("/proc/self/mountinfo");
  const auto mounts = parse_mounts({std::istreambuf_iterator<char>(file), {}});
  const auto found = std::ranges::find(mounts.rbegin(), mounts.rend(), directory, &MountPoint::directory);
  return found != mounts.rend() ? std::optional(*found) : std::nullopt;
}

bool detach(const std::string& directory, int id) {
  const auto seen = mount_on(directory);
  if (!seen || seen->id != id) {
    log::error("mount", "'{}' is not unmounted: {}", directory,
               seen ? "another mount lies over it; unmount that first" : "it is not seen there any more");
    return false;
  }
  if (geteuid() != 0) return run_fusermount(directory, true);
  if (umount2(directory.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) == 0) return true;
  log::error("mount", "cannot unmount '{}': {}", directory, strerror(errno));
  return false;
}

int unmount(const std::string& directory, bool lazy) {
  const std::string path = absolute(directory);
  const auto found = mount_on(path);
  if (!found || found->type != "fuse.osp")
    return complain(fmt::format("'{}' is not a mount of osp's (findmnt -t fuse.osp lists them)", directory));
  Result<EndWatch> process = lazy ? fail(ENOTCONN) : EndWatch::of(path, found->owner);
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
  return lazy ? EXIT_SUCCESS : wait_for_end(std::move(process), directory);
}

}  // namespace osp::fuse
