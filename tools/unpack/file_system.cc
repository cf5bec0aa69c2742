#include "tools/unpack/file_system.h"

#include <dirent.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace osp::unpack {
namespace {

Outcome<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) return wrong(strerror(errno));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Fd open_within(int root, const std::string& path, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return Fd(static_cast<int>(syscall(SYS_openat2, root, name, &how, sizeof how)));
}

Outcome<std::vector<std::string>> names_in(int directory) {
  const int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (listing == nullptr) return wrong(strerror(errno));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(listing.get()))
    if (std::string_view name = entry->d_name; name != "." && name != "..") names.emplace_back(name);
  return names;
}

Outcome<void> remove_all(int directory, const std::string& name) {
  struct stat status = {};
  if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Outcome<void>() : wrong(strerror(errno));
  if (S_ISDIR(status.st_mode)) {
    // It is a directory, and nobody else writes here: this follows no link.
    if ((status.st_mode & S_IRWXU) != S_IRWXU) fchmodat(directory, name.c_str(), S_IRWXU, 0);
    const Fd fd(openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return wrong(strerror(errno));
    const auto names = names_in(fd.get());
    if (!names) return wrong(names.error());
    for (const std::string& below : *names) OSP_CHECK(remove_all(fd.get(), below));
  }
  if (unlinkat(directory, name.c_str(), S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0) == 0) return {};
  return wrong(strerror(errno));
}

Outcome<std::string> read_file(int directory, const std::string& name, size_t most) {
  const Fd fd(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return wrong(strerror(errno));
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t size = read(fd.get(), buffer, sizeof buffer);
    if (size < 0) return wrong(strerror(errno));
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
    if (text.size() > most) return wrong(fmt::format("it is larger than {} bytes", most));
  }
}

Outcome<void> write_file(int directory, const std::string& name, const std::string& text) {
  const Fd fd(openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return wrong(strerror(errno));
  return write_all(fd.get(), text);
}

}  // namespace osp::unpack
