#include "tools/osp_boot_root.h"

#include <fmt/format.h>
#include <fts.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

#include "pip/host_walk.h"
#include "tools/osp_boot_frames.h"

namespace osp::tools {
namespace {

constexpr int links_max = 40;  // on the way to one file, as on Linux

std::unexpected<std::string> failed(const std::string& path, int error) {
  const char* remedy = error == EACCES ? "; run osp-boot as a user who may read it" : "";
  return std::unexpected(fmt::format("{}: {}{}", path, strerror(error), remedy));
}

BootResult<std::string> read_link(const std::string& path) {
  char target[4096];
  const ssize_t size = readlink(path.c_str(), target, sizeof target);
  if (size < 0) return failed(path, errno);
  return std::string(target, static_cast<size_t>(size));
}

using Identity = std::pair<dev_t, ino_t>;

ArchivedFile describe_file(const std::string& path, const struct stat& status) {
  return {.name = path == "/" ? "." : path.substr(1),
          .mode = status.st_mode,
          .uid = status.st_uid,
          .gid = status.st_gid,
          .mtime = status.st_mtime,
          .special = S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) ? status.st_rdev : 0};
}

}  // namespace

BootResult<void> RootPlan::put(const std::string& path, const std::string& source, const struct stat& status) {
  if (S_ISSOCK(status.st_mode)) return {};
  File file{.status = status, .source = source};
  if (S_ISLNK(status.st_mode)) {
    auto target = read_link(source);
    if (!target) return std::unexpected(std::move(target.error()));
    file.source.clear();
    file.text = std::move(*target);
  } else if (S_ISREG(status.st_mode) && access(source.c_str(), R_OK) != 0) {
    return failed(source, errno);
  }
  files_.insert_or_assign(path, std::move(file));
  return {};
}

BootResult<std::string> RootPlan::add_path(const std::string& path) {
  std::string at, rest = path;  // where it has come to, free of links, and what is still to go
  int links = 0;
  for (;;) {
    const size_t begin = rest.find_first_not_of('/');
    const size_t end = begin == std::string::npos ? begin : rest.find('/', begin);
    const std::string name = begin == std::string::npos ? std::string() : rest.substr(begin, end - begin);
    rest = end == std::string::npos ? std::string() : rest.substr(end);
    if (name == "..")
      at.resize(at.empty() ? 0 : at.rfind('/'));
    else if (!name.empty() && name != ".")
      at += "/" + name;
    const std::string here = at.empty() ? "/" : at;
    struct stat status {};
    if (lstat(here.c_str(), &status) != 0) return failed(path, errno);
    if (!files_.contains(here))
      if (auto done = put(here, here, status); !done) return std::unexpected(std::move(done.error()));
    if (S_ISLNK(status.st_mode)) {
      if (++links > links_max) return failed(path, ELOOP);
      const std::string& target = files_.at(here).text;
      rest = target + rest;
      at.resize(target.starts_with('/') ? 0 : at.rfind('/'));
    } else if (rest.find_first_not_of('/') == std::string::npos) {
      return here;
    }
  }
}

BootResult<void> RootPlan::walk(const std::string& source, const std::string& path) {
  char* const roots[] = {const_cast<char*>(source.c_str()), nullptr};  // fts(3) does not write to them
  const std::unique_ptr<FTS, int (*)(FTS*)> walk(fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, nullptr), fts_close);
  if (walk == nullptr) return failed(source, errno);
  while (FTSENT* entry = fts_read(walk.get())) {
    if (entry->fts_info == FTS_DP) continue;
    const std::string found = entry->fts_path;
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
      return failed(found, entry->fts_errno);
    const std::string below = found.substr(source == "/" ? 0 : source.size());
    const std::string name = path == "/" ? (below.empty() ? "/" : below) : path + below;
    if (auto done = put(name, found, *entry->fts_statp); !done) return done;
  }
  return {};
}

BootResult<std::string> RootPlan::add_tree(const std::string& path) {
  auto end = add_path(path);
  if (!end || !S_ISDIR(files_.at(*end).status.st_mode)) return end;
  if (auto done = walk(*end, *end); !done) return std::unexpected(std::move(done.error()));
  return end;
}

BootResult<void> RootPlan::take_root(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return failed(path, errno);
  const std::string source = real;
  free(real);
  return walk(source, "/");
}

void RootPlan::add_directory(const std::string& path, mode_t mode) {
  File file;
  file.status.st_mode = S_IFDIR | mode;
  file.status.st_mtime = time(nullptr);
  files_.try_emplace(path, std::move(file));
}

void RootPlan::add_text(const std::string& path, std::string contents, mode_t mode) {
  File file{.text = std::move(contents)};
  file.status.st_mode = S_IFREG | mode;
  file.status.st_mtime = time(nullptr);
  files_.try_emplace(path, std::move(file));
}

uint64_t RootPlan::size() const {
  uint64_t size = 0;
  for (const auto& [path, file] : files_)
    if (S_ISREG(file.status.st_mode)) size += static_cast<uint64_t>(file.status.st_size);
  return size;
}

BootResult<uint64_t> RootPlan::write(int fd, uint64_t begin) const {
  CpioWriter writer(fd, begin);
  return write(writer);
}

BootResult<uint64_t> RootPlan::write_compressed(int fd, uint64_t begin, uint64_t& unpacked) const {
  const pip::HostFd plain(memfd_create("osp-boot-root", MFD_CLOEXEC));
  if (plain.get() < 0) return failed("cannot make the root archive", errno);
  CpioWriter writer(plain.get());
  auto end = write(writer);
  if (!end) return end;
  unpacked = *end;
  return write_frames(plain.get(), *end, writer.large(), fd, begin);
}

BootResult<uint64_t> RootPlan::write(CpioWriter& writer) const {
  struct Linked {
    uint32_t inode = 0, names = 0, written = 0;
  };
  std::map<Identity, Linked> linked;  // the files that have several names here; the last one brings the contents
  for (const auto& [path, file] : files_)
    if (S_ISREG(file.status.st_mode) && file.status.st_nlink > 1)
      ++linked[{file.status.st_dev, file.status.st_ino}].names;
  uint32_t inode = 0;
  for (const auto& [path, file] : files_) {
    ArchivedFile archived = describe_file(path, file.status);
    archived.inode = ++inode;
    archived.links = S_ISDIR(file.status.st_mode) ? 2 : 1;
    bool brings = true;
    if (const auto found = linked.find({file.status.st_dev, file.status.st_ino});
        found != linked.end() && S_ISREG(file.status.st_mode)) {
      Linked& link = found->second;
      if (link.written == 0) link.inode = inode;
      archived.inode = link.inode, archived.links = link.names;
      brings = ++link.written == link.names;
    }
    const bool from_host = S_ISREG(file.status.st_mode) && !file.source.empty() && brings;
    auto done = from_host ? writer.add(archived, file.source, static_cast<uint64_t>(file.status.st_size))
                          : writer.add(archived, std::string_view(brings ? file.text : ""));
    if (!done) return std::unexpected(std::move(done.error()));
  }
  return writer.finish();
}

}  // namespace osp::tools
