#include "libosp/file/opener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/file/names.h"
#include "libosp/file/proc.h"
#include "libosp/host/side.h"
#include "libosp/memory/filled.h"
#include "libosp/task/process.h"

namespace osp::file {

ProgramFile::ProgramFile(ProgramFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      served_(std::move(other.served_)),
      path_(std::move(other.path_)),
      size_(other.size_),
      backing_(std::move(other.backing_)) {}

ProgramFile& ProgramFile::operator=(ProgramFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  served_ = std::move(other.served_);
  path_ = std::move(other.path_);
  size_ = other.size_;
  backing_ = std::move(other.backing_);
  return *this;
}

ProgramFile::~ProgramFile() {
  if (fd_ >= 0) raw::close(fd_);
}

ProgramFile ProgramFile::of_host(int fd, const struct stat& st) {
  ProgramFile file;
  file.fd_ = fd, file.size_ = static_cast<uint64_t>(st.st_size);
  file.backing_ = memory::backing_of(st);
  return file;
}

int ProgramFile::keep() {
  const int fd = std::exchange(fd_, -1);
  return fd < 0 ? fd : static_cast<int>(keep_fd(fd));
}

ProgramFile ProgramFile::of_server(std::unique_ptr<pip::File> served, std::string path,
                                   const pip::Attributes& attributes) {
  ProgramFile file;
  file.served_ = std::move(served), file.path_ = std::move(path), file.size_ = attributes.size;
  file.backing_ = std::make_shared<memory::Backing>();
  file.backing_->path = file.path_, file.backing_->inode = attributes.id;
  return file;
}

Result<size_t> ProgramFile::read_at(uint64_t offset, std::span<std::byte> into) {
  if (fd_ < 0) return served_->read(offset, into);
  return from_raw<size_t>(raw::syscall(SYS_pread64, fd_, into.data(), into.size(), offset));
}

Result<void> ProgramFile::map_copy(memory::AddressSpace& memory, uintptr_t address, size_t size, int protection,
                                   uint64_t offset) {
  const auto contents = [&](uint64_t from, std::span<std::byte> to) { return served_->read(from, to); };
  OSP_TRY(memory::map_filled(memory, address, size, protection, MAP_PRIVATE | MAP_FIXED, offset, backing_, contents));
  return {};
}

Result<void> ProgramFile::map(memory::AddressSpace& memory, uintptr_t address, size_t size, int protection,
                              uint64_t offset) {
  const int flags = MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE;  // to AddressSpace: a program
  int fd = fd_;
  uint64_t at = offset;
  if (fd < 0) {
    const auto pages = served_->map(offset, size, false);
    if (!pages && (pages.error().code != ENODEV || !host::is_native())) return std::unexpected(pages.error());
    if (!pages) return map_copy(memory, address, size, protection, offset);
    fd = pages->fd, at = pages->fd_offset;
    if (pages->keep != nullptr) backing_->pages = pages->keep, backing_->segment = fd;
  }
  auto mapped = memory.map(address, size, protection, flags, fd, at, backing_);
  if (!mapped) return std::unexpected(mapped.error());
  return {};
}

namespace {

// To read: the fd may be one that cannot be read (O_PATH).
long open_anew(int fd) {
  return raw::syscall(SYS_open, fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC, 0);
}

bool host_judges_programs = false;

Result<void> let_host_judge(int fd) {
  constexpr int only_check = 0x10000;  // AT_EXECVE_CHECK
  const char* const arguments[] = {"", nullptr};
  const long result = raw::syscall(SYS_execveat, fd, "", arguments, arguments + 1, AT_EMPTY_PATH | only_check);
  if (result < 0 && result != -EINVAL) return fail(static_cast<int>(-result));  // EINVAL: this host does not know it
  return {};
}

Result<ProgramFile> open_on_host(int directory_fd, const std::string& path, int flags) {
  const int checked = AT_EACCESS | (flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
  OSP_TRY(from_raw<void>(raw::syscall(SYS_faccessat2, directory_fd, path.c_str(), X_OK, checked)));
  const int no_follow = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? O_NOFOLLOW : 0;
  const long fd = path.empty()
                      ? open_anew(directory_fd)
                      : raw::syscall(SYS_openat, directory_fd, path.c_str(), O_RDONLY | O_CLOEXEC | no_follow, 0);
  if (fd < 0) return fail(static_cast<int>(-fd));
  struct stat st = {};
  raw::syscall(SYS_fstat, fd, &st);
  ProgramFile file = ProgramFile::of_host(static_cast<int>(fd), st);
  if (!S_ISREG(st.st_mode)) return fail(EACCES);
  if (host_judges_programs) OSP_TRY(let_host_judge(static_cast<int>(fd)));
  return file;
}

bool may_execute(const pip::Attributes& a) {
  const task::Credentials who = task::credentials_of(task::process());
  if (who.euid == 0) return (a.mode & 0111) != 0;
  return (a.mode & (a.uid == who.euid ? 0100U : a.gid == who.egid ? 0010U : 0001U)) != 0;
}

Result<ProgramFile> open_served(const Names& names, const ns::Request& request) {
  pip::OpenMode mode;
  mode.read = true;
  OSP_ASSIGN(ns::OpenedPlace opened, ns::open(names.table(), request, mode));
  const pip::Attributes& a = opened.opened.attributes;
  if (!S_ISREG(a.mode) || !may_execute(a)) return fail(EACCES);
  return ProgramFile::of_server(std::move(opened.opened.file), opened.place.path(), a);
}

}  // namespace

void let_host_judge_programs() { host_judges_programs = true; }

Result<ProgramFile> open_program(task::Thread& thread, int directory_fd, const std::string& path, int flags) {
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) return fail(EINVAL);
  if (path.empty() && (flags & AT_EMPTY_PATH) == 0) return fail(ENOENT);
  const task::Process& p = thread.process;
  std::string name = path;
  const Description* served = directory_fd == AT_FDCWD ? nullptr : p.files->find(directory_fd);
  if (path.empty() && served != nullptr) name = served->path();
  if (is_core_proc(name)) {
    OSP_ASSIGN(const ProcEntry entry, find_proc(name));
    if (entry.kind == ProcEntry::Kind::link) name = entry.contents;
  }
  if (name.empty() || (p.names->is_plain(name) && served == nullptr)) return open_on_host(directory_fd, name, flags);
  OSP_ASSIGN(const Names::Held held, p.names->hold(directory_fd, name));
  const ns::Request request = held.request((flags & AT_SYMLINK_NOFOLLOW) == 0);
  OSP_ASSIGN(const ns::FoundPlace found, ns::stat(p.names->table(), request));
  const auto host = found.place.host_path();
  if (!host) return open_served(*p.names, request);
  OSP_ASSIGN(ProgramFile file, open_on_host(AT_FDCWD, *host, 0));
  file.rename(found.place.path());
  return file;
}

}  // namespace osp::file
