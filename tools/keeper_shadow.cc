#include "tools/keeper_shadow.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace osp::keeper {
namespace {

using namespace pip;

constexpr std::string_view outside = "/../.new";  // beside the directory, whose name nobody watches

bool is_directory(const Attributes& file) { return S_ISDIR(file.mode); }

std::error_code& ignored() {
  static std::error_code code;
  return code;
}

// Numbers are given again, so that alone says nothing.
bool is_same(const Attributes& before, const Attributes& now) {
  return before.id == now.id && (before.mode & S_IFMT) == (now.mode & S_IFMT);
}

bool was_moved(const Attributes& before, const Attributes& now) {
  return is_same(before, now) && (is_directory(now) || (before.mtime_ns == now.mtime_ns && before.size == now.size));
}

bool was_written(const Attributes& before, const Attributes& now) {
  return !is_directory(now) && (before.size != now.size || before.mtime_ns != now.mtime_ns);
}

// A directory's own size and times change with its entries, of which who watches it is told.
bool was_changed(const Attributes& before, const Attributes& now) {
  return before.mode != now.mode || before.uid != now.uid || before.gid != now.gid || before.links != now.links;
}

}  // namespace

Result<ShadowDirectory> ShadowDirectory::create(std::string path, std::vector<DirectoryEntry> entries) {
  if (mkdir(path.c_str(), 0755) != 0) return fail(errno);
  HostFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return fail(errno);
  ShadowDirectory made(std::move(path), std::move(fd));
  made.become(std::move(entries));
  return made;
}

ShadowDirectory::Entries ShadowDirectory::by_name(std::vector<DirectoryEntry> entries) {
  Entries named;
  for (DirectoryEntry& entry : entries) named[std::move(entry.name)] = entry.attributes;
  return named;
}

void ShadowDirectory::become(std::vector<DirectoryEntry> entries) {
  Entries now = by_name(std::move(entries));
  rename_moved(now);
  for (const auto& [name, file] : entries_)
    if (!now.contains(name)) unlink(name, file);
  for (const auto& [name, file] : now) {
    const auto before = entries_.find(name);
    if (before == entries_.end()) {
      make(name, file);
    } else if (!is_same(before->second, file)) {
      replace(name, file);
    } else {
      update(name, before->second, file);
    }
  }
  entries_ = std::move(now);
}

// Files whose name is gone, and that have another now.
void ShadowDirectory::rename_moved(const Entries& now) {
  std::map<uint64_t, std::string> gone;
  for (const auto& [name, file] : entries_)
    if (!now.contains(name)) gone[file.id] = name;
  for (const auto& [name, file] : now) {
    const auto before = entries_.find(name);
    const auto moved = gone.find(file.id);
    const bool is_there = before != entries_.end() && is_same(before->second, file);
    if (is_there || moved == gone.end() || !was_moved(entries_.at(moved->second), file)) continue;
    if (renameat(fd_.get(), moved->second.c_str(), fd_.get(), name.c_str()) != 0) continue;
    entries_[name] = entries_.at(moved->second);
    entries_.erase(moved->second);
    gone.erase(moved);
  }
}

void ShadowDirectory::make(const std::string& name, const Attributes& file) const {
  if (is_directory(file)) {
    mkdirat(fd_.get(), name.c_str(), 0755);
    return;
  }
  const HostFd made(openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (made.get() >= 0 && file.size > 0) (void)::write(made.get(), "", 1);
}

// By what came from elsewhere.
void ShadowDirectory::replace(const std::string& name, const Attributes& file) const {
  const std::string other = path_ + std::string(outside);
  std::filesystem::remove(other, ignored());
  const bool is_made = is_directory(file)
                           ? mkdir(other.c_str(), 0755) == 0
                           : HostFd(open(other.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)).get() >= 0;
  if (!is_made) return;
  if (renameat(AT_FDCWD, other.c_str(), fd_.get(), name.c_str()) == 0) return;
  unlink(name, entries_.find(name)->second);  // one is a directory, and the other not
  if (renameat(AT_FDCWD, other.c_str(), fd_.get(), name.c_str()) != 0) std::filesystem::remove(other, ignored());
}

void ShadowDirectory::update(const std::string& name, const Attributes& before, const Attributes& now) const {
  if (was_written(before, now)) write(name);
  if (was_changed(before, now)) utimensat(fd_.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

void ShadowDirectory::write(const std::string& name) const {
  const HostFd file(openat(fd_.get(), name.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() >= 0) (void)pwrite(file.get(), "", 1, 0);
}

void ShadowDirectory::unlink(const std::string& name, const Attributes& file) const {
  unlinkat(fd_.get(), name.c_str(), is_directory(file) ? AT_REMOVEDIR : 0);
}

void ShadowDirectory::touch() const { utimensat(AT_FDCWD, path_.c_str(), nullptr, 0); }

void ShadowDirectory::remove() {
  become({});
  fd_ = HostFd();  // it is gone when nobody has it open
  rmdir(path_.c_str());
}

}  // namespace osp::keeper
