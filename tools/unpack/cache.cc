#include "tools/unpack/cache.h"

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tools/unpack/contents.h"
#include "tools/unpack/file_system.h"
#include "tools/unpack/hash.h"

namespace osp::unpack {
namespace {

constexpr size_t most_record = 1 << 20;
constexpr const char* record_name = "start";

Outcome<std::string> images_folder() {
  const char* cache = getenv("XDG_CACHE_HOME");
  const char* home = getenv("HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/osprey/images";
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/osprey/images";
  return wrong("there is no folder to unpack into; set XDG_CACHE_HOME or HOME to an absolute path");
}

Outcome<Fd> open_images(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), error);
  if (!error && mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) error = {errno, std::generic_category()};
  Fd fd(error ? -1 : open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) return fd;
  return wrong(fmt::format("{}: {}; set XDG_CACHE_HOME to a folder that you may write to", folder,
                           error ? error.message() : strerror(errno)));
}

// What a file that is the same as before is known by, so that it need not be read again. Empty: it has changed a moment
// ago, and could once more without its times showing it.
std::string stamp_of(const struct stat& status) {
  constexpr time_t settled = 2;
  if (time(nullptr) - std::max(status.st_mtime, status.st_ctime) < settled) return {};
  return fmt::format("stamp-{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

Outcome<std::string> key_of(const std::string& archive, int images) {
  const Fd fd(open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) return wrong(strerror(errno));
  const std::string stamp = stamp_of(status);
  constexpr size_t key_size = 71;
  if (!stamp.empty())
    if (auto known = read_file(images, stamp, key_size); known && known->size() == key_size) return known;
  Progress progress("reading", archive, static_cast<uint64_t>(status.st_size));
  const auto hash = sha256_of(fd.get(), progress);
  if (!hash) return wrong(hash.error());
  std::string key = "sha256-" + *hash;
  if (!stamp.empty())
    if (auto kept = write_file(images, stamp, key); !kept) return wrong(kept.error());
  return key;
}

// Held until the process ends.
Outcome<void> lock(int images, const std::string& key) {
  const int fd = openat(images, (key + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX) == 0) return {};
  return wrong(fmt::format("{}.lock: {}", key, strerror(errno)));
}

Outcome<void> make_whole(int images, const std::string& folder, const std::string& key, const std::string& archive) {
  const std::string partial = key + ".partial";
  const auto failed = [&](int error) { return wrong(fmt::format("{}/{}: {}", folder, partial, strerror(error))); };
  if (auto removed = remove_all(images, partial); !removed) return wrong(partial + ": " + removed.error());
  if (mkdirat(images, partial.c_str(), S_IRWXU) != 0) return failed(errno);
  const Fd fd(openat(images, partial.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return failed(errno);
  auto record = unpack_archive(archive, fd.get(), folder + "/" + partial);
  auto kept = record ? write_file(fd.get(), record_name, record->text()) : wrong(record.error());
  if (kept && renameat(images, partial.c_str(), images, key.c_str()) == 0) return {};
  if (kept) kept = failed(errno);
  [[maybe_unused]] const auto removed = remove_all(images, partial);
  return kept;
}

}  // namespace

Outcome<command::StartRecord> find_root(const std::string& archive) {
  const auto folder = images_folder();
  if (!folder) return wrong(folder.error());
  const auto images = open_images(*folder);
  if (!images) return wrong(images.error());
  const auto key = key_of(archive, images->get());
  if (!key) return wrong(key.error());
  const std::string record = *key + "/" + record_name;
  auto text = read_file(images->get(), record, most_record);
  if (!text) {
    OSP_CHECK(lock(images->get(), *key));
    text = read_file(images->get(), record, most_record);
  }
  if (!text) {
    OSP_CHECK(make_whole(images->get(), *folder, *key, archive));
    text = read_file(images->get(), record, most_record);
    if (!text) return wrong(fmt::format("{}/{}: {}", *folder, record, text.error()));
  }
  command::StartRecord start = command::StartRecord::parse(*text);
  start.root = *folder + "/" + *key + "/root";
  return start;
}

}  // namespace osp::unpack
