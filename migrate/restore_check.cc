// Whether this host can take an image's process: processor, files, addresses.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "migrate/cpu.h"
#include "migrate/restore_parts.h"

namespace osp::migrate {
namespace {

constexpr int64_t second_ns = 1'000'000'000;

// What is different about a file; empty: it is the same one, as far as size and time tell.
std::string difference(const FileRef& file, const struct stat& st) {
  const int64_t mtime = st.st_mtim.tv_sec * second_ns + st.st_mtim.tv_nsec;
  if ((st.st_mode & S_IFMT) != (file.mode & S_IFMT)) return "it is of another type now";
  if (!S_ISREG(st.st_mode)) return {};
  if (static_cast<uint64_t>(st.st_size) != file.identity.size)
    return fmt::format("its size is {}, and was {}", st.st_size, file.identity.size);
  if (mtime != file.identity.mtime_ns) return "it has been written to since";
  return {};
}

Restored check_open_file(const Restore& restore, const FileRef& file) {
  struct stat st = {};
  const long found = raw::syscall(SYS_newfstatat, -100, file.path.c_str(), &st, 0);
  if (found < 0) return because("the program has " + file.path + " open", found);
  if ((st.st_mode & S_IFMT) != (file.mode & S_IFMT))
    return std::unexpected("the program has " + file.path + " open: it is of another type now");
  const std::string changed = difference(file, st);
  if (changed.empty()) return {};
  if (restore.changed == ChangedFiles::refuse)
    return std::unexpected(
        fmt::format("the program has {} open: {} (--files keep takes it as it is)", file.path, changed));
  if (restore.changed == ChangedFiles::keep) log::warn("restore", "{}: {}; kept as it is", file.path, changed);
  return {};
}

Restored check_mapped_file(const FileRef& file, bool shared) {
  if (!is_host_file(file)) return {};
  struct stat st = {};
  const long found = raw::syscall(SYS_newfstatat, -100, file.path.c_str(), &st, 0);
  if (found < 0) return because("the program has mapped " + file.path, found);
  const std::string changed = difference(file, st);
  if (!changed.empty() && !shared)
    return std::unexpected(fmt::format("the program has mapped {}: {}", file.path, changed));
  return {};
}

Restored check_files(const Restore& restore) {
  const Manifest& m = restore.manifest;
  for (const Area& area : restore.saved().areas) {
    if (area.kind != AreaKind::file && area.kind != AreaKind::shared_file) continue;
    OSP_TRY(check_mapped_file(m.files[area.file], area.kind == AreaKind::shared_file));
  }
  for (const Description& d : m.descriptions)
    if (d.file != none && d.comeback == Comeback::reopen && is_host_file(m.files[d.file]))
      OSP_TRY(check_open_file(restore, m.files[d.file]));
  return {};
}

}  // namespace

Restored check_restore(const Restore& restore) {
  const Manifest& m = restore.manifest;
  if (m.processes.size() != 1)
    return std::unexpected(std::string("it holds several processes; this core restores one"));
  if (restore.image.parent()) return std::unexpected(std::string("it is an increment, which needs its parent"));
  if (const std::string lacks = missing_features(m.cpu, host_cpu()); !lacks.empty())
    return std::unexpected("this processor lacks what the program may be using: " + lacks);
  const Credentials& who = restore.saved().credentials;
  if (const long uid = raw::call(SYS_geteuid); uid != 0 && static_cast<uint32_t>(uid) != who.euid)
    log::warn("restore", "the program was of user {}; it goes on as {}", who.euid, uid);
  return check_files(restore);
}

}  // namespace osp::migrate
