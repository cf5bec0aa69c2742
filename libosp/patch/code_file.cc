#include "libosp/patch/code_file.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/host/window.h"
#include "libosp/vdso/vdso.h"

namespace osp::patch {
namespace {

constexpr uint64_t file_size = uint64_t{CodeFile::head_pages + CodeFile::most_pages} * 4096;

bool is_guarded = false;  // others have the file too
int writers = 0;

// Of the core's build (ld(1), --build-id): another's records may mean other things. 0: it has none.
uint64_t name_of_core() {
  const auto* const segments = reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR));
  for (const Elf64_Phdr& segment : std::span(segments, getauxval(AT_PHNUM))) {
    if (segment.p_type != PT_NOTE) continue;
    const auto* const note = reinterpret_cast<const Elf64_Nhdr*>(window::image + segment.p_vaddr);
    if (note->n_type != NT_GNU_BUILD_ID || note->n_descsz < sizeof(uint64_t)) continue;
    uint64_t name = 0;
    std::memcpy(&name, reinterpret_cast<const char*>(note + 1) + ((note->n_namesz + 3) & ~3U), sizeof name);
    return name | 1;
  }
  return 0;
}

// The size comes last.
bool make(int fd) {
  rlimit limit = {};  // beyond it the host raises SIGXFSZ
  if (raw::syscall(SYS_getrlimit, RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < file_size) return false;
  const uint64_t name = name_of_core();
  const auto vdso = vdso::image();
  if (vdso.size() > CodeFile::head_size - CodeFile::vdso_offset) return false;
  return raw::syscall(SYS_pwrite64, fd, &name, sizeof name, 0) == sizeof name &&
         raw::syscall(SYS_pwrite64, fd, vdso.data(), vdso.size(), CodeFile::vdso_offset) ==
             static_cast<long>(vdso.size()) &&
         raw::syscall(SYS_ftruncate, fd, file_size) == 0;
}

bool is_users(int fd, const struct stat& status, long user) {
  struct statfs system = {};
  return S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == static_cast<uid_t>(user) &&
         (status.st_mode & (S_IRWXG | S_IRWXO)) == 0 && raw::syscall(SYS_fstatfs, fd, &system) == 0 &&
         system.f_type == TMPFS_MAGIC && (system.f_flags & ST_NOEXEC) == 0;
}

enum class Found : uint8_t { ours, another_cores, unusable };

bool is_this_cores(int fd) {
  uint64_t name = 0;
  return raw::syscall(SYS_pread64, fd, &name, sizeof name, 0) == sizeof name && name == name_of_core();
}

Found look_at(int fd, long user) {
  struct stat status = {};
  if (raw::syscall(SYS_fstat, fd, &status) != 0 || !is_users(fd, status, user)) return Found::unusable;
  if (status.st_size > static_cast<off_t>(CodeFile::head_size))
    return is_this_cores(fd) ? Found::ours : Found::another_cores;
  // Room for all of the head is taken at once: there may be none when something is written.
  if (raw::syscall(SYS_fallocate, fd, 0, 0, CodeFile::head_size) != 0 || !make(fd)) return Found::unusable;
  return is_this_cores(fd) ? Found::ours : Found::another_cores;  // one that was at it at the same time
}

// An fd, or below 0. Root's programs trust only root that is not confined, which /dev/shm does not tell: it has none.
long open_users(bool anew) {
  const long user = raw::call(SYS_geteuid);
  if (user == 0 || name_of_core() == 0) return -EPERM;
  const std::string name = "/dev/shm/osprey-code-" + std::to_string(user);
  const char* const path = name.c_str();
  if (anew) raw::syscall(SYS_unlink, path);  // environments that have it keep it
  for (int attempt = 0; attempt < 2; ++attempt) {
    const long fd = raw::syscall(SYS_open, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0) return fd;
    const Found found = look_at(static_cast<int>(fd), user);
    if (found == Found::ours) return fd;
    raw::close(static_cast<int>(fd));
    if (found == Found::unusable) break;
    raw::syscall(SYS_unlink, path);
  }
  return -ENOENT;
}

long open_own() {
  const long fd = raw::syscall(SYS_memfd_create, "osprey-code", MFD_CLOEXEC);
  if (fd < 0 || make(static_cast<int>(fd))) return fd;
  raw::close(static_cast<int>(fd));
  return -ENOSPC;
}

void protect_head(int protection) {
  if (is_guarded && CodeFile::head() != nullptr)
    raw::syscall(SYS_mprotect, CodeFile::head() + CodeFile::counters_size,
                 CodeFile::head_size - CodeFile::counters_size, protection);
}

}  // namespace

int CodeFile::fd_ = -1;
std::byte* CodeFile::head_ = nullptr;

void CodeFile::open() { open_file(false); }

void CodeFile::open_anew() {
  close();
  open_file(true);
}

void CodeFile::open_file(bool anew) {
  long fd = open_users(anew);
  is_guarded = fd >= 0;
  if (fd < 0) fd = open_own();
  if (fd < 0) return;
  const long at = window::map(head_size, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(fd), 0);
  if (at < 0) {
    raw::close(static_cast<int>(fd));
    return;
  }
  head_ = reinterpret_cast<std::byte*>(at);
  protect_head(PROT_READ);
  fd_ = static_cast<int>(file::keep_fd(static_cast<int>(fd)));
}

void CodeFile::close() {
  if (head_ != nullptr) window::unmap(reinterpret_cast<uintptr_t>(std::exchange(head_, nullptr)), head_size);
  if (fd_ >= 0) file::drop_fd(std::exchange(fd_, -1));
}

bool CodeFile::make_room(uint32_t first_page, size_t pages) {
  return raw::syscall(SYS_fallocate, fd_, 0, uint64_t{first_page} * 4096, pages * 4096) == 0;
}

CodeFile::Writing::Writing() {
  if (writers++ == 0) protect_head(PROT_READ | PROT_WRITE);
}

CodeFile::Writing::~Writing() {
  if (--writers == 0) protect_head(PROT_READ);
}

}  // namespace osp::patch
