// What a checkpoint asks the host: texts under /proc, and contents of files.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/raw_syscall.h"
#include "libosp/host/window.h"
#include "libosp/memory/address_space.h"
#include "migrate/checkpoint_parts.h"

namespace osp::migrate {

Result<Held> Held::map_fd(int fd, uint64_t size) {
  OSP_ASSIGN(const long at, from_raw(window::map(size, PROT_READ, MAP_SHARED, fd, 0)));
  return Held(static_cast<uintptr_t>(at), size);
}

Result<Held> Held::make(uint64_t size) {
  OSP_ASSIGN(const long at,
             from_raw(window::map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)));
  return Held(static_cast<uintptr_t>(at), size);
}

Held::~Held() {
  if (start_ != 0) window::unmap(start_, size_);
}

int64_t Capture::program_now() const { return static_cast<int64_t>(task::host_now_ns()) + process.clock_offset_ns; }

uint32_t Capture::file_ref(const std::string& path, uint64_t device, uint64_t inode) {
  if (const auto known = files.find({path, inode}); known != files.end()) return known->second;
  struct stat st = {};
  if (raw::syscall(SYS_newfstatat, AT_FDCWD, path.c_str(), &st, 0) < 0) return none;
  if (st.st_dev != device || st.st_ino != inode) return none;
  FileRef file;
  file.server = "#U", file.path = path, file.name = path, file.mode = st.st_mode;
  file.identity.size = static_cast<uint64_t>(st.st_size);
  file.identity.mtime_ns = st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec;
  file.identity.device = st.st_dev, file.identity.inode = st.st_ino;
  const auto index = static_cast<uint32_t>(manifest.files.size());
  manifest.files.push_back(std::move(file));
  files[{path, inode}] = index;
  return index;
}

uint32_t Capture::served_ref(const std::string& server, const std::string& path, uint64_t id, uint32_t mode) {
  FileRef file;
  file.server = server, file.path = file.name = path, file.mode = mode;
  file.identity.inode = id;
  manifest.files.push_back(std::move(file));
  return static_cast<uint32_t>(manifest.files.size() - 1);
}

MemoryObject& Capture::new_object(ObjectKind kind, const std::string& name, uint64_t size, uint32_t& index) {
  index = static_cast<uint32_t>(manifest.objects.size());
  MemoryObject& object = manifest.objects.emplace_back();
  object.space = process_space + 1 + index;
  object.kind = kind, object.name = name, object.size = size, object.mode = 0600;
  return object;
}

Result<uint32_t> Capture::object_of(int fd, ObjectKind kind, const std::string& name) {
  struct stat st = {};
  OSP_TRY(from_raw<void>(raw::syscall(SYS_fstat, fd, &st)));
  const std::pair<uint64_t, uint64_t> identity = {st.st_dev, st.st_ino};
  if (const auto known = objects.find(identity); known != objects.end()) return known->second;
  const auto size = static_cast<uint64_t>(st.st_size);
  uint32_t index = 0;
  MemoryObject& object = new_object(kind, name, size, index);
  object.mode = st.st_mode & 07777;
  if (const long seals = raw::syscall(SYS_fcntl, fd, F_GET_SEALS); seals > 0)
    object.seals = static_cast<uint32_t>(seals);
  objects[identity] = index;
  if (size == 0) return index;
  const long readable =
      raw::syscall(SYS_openat, AT_FDCWD, fmt::format("/proc/self/fd/{}", fd).c_str(), O_RDONLY | O_CLOEXEC);
  OSP_TRY(from_raw<void>(readable));
  auto mapped = Held::map_fd(static_cast<int>(readable), size);
  for (int64_t at = 0; mapped && at < st.st_size;) {
    const long data = raw::syscall(SYS_lseek, readable, at, SEEK_DATA);
    if (data < 0) break;  // a hole up to the end
    long hole = raw::syscall(SYS_lseek, readable, data, SEEK_HOLE);
    if (hole < 0) hole = st.st_size;
    const auto start = memory::page_down(static_cast<uint64_t>(data)),
               end = memory::page_up(static_cast<uint64_t>(hole));
    object_pages.push_back(
        {object.space, start, reinterpret_cast<uintptr_t>(mapped->data()) + start, end - start, PROT_READ});
    at = static_cast<int64_t>(end);
  }
  raw::close(static_cast<int>(readable));
  if (!mapped) return std::unexpected(mapped.error());
  held.push_back(std::move(*mapped));
  return index;
}

std::string host_text(const std::string& path) {
  const long fd = raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  std::string text;
  char buffer[8192];
  long size = 0;
  while (fd >= 0 && (size = raw::read(static_cast<int>(fd), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<size_t>(size));
  if (fd >= 0) raw::close(static_cast<int>(fd));
  return text;
}

std::string value_of(const std::string& text, std::string_view key) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    return std::string(line);
  }
  return {};
}

std::string link_target(const std::string& path) {
  char target[4096];
  const long size = raw::syscall(SYS_readlink, path.c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<size_t>(size)) : std::string();
}

int64_t to_number(std::string_view text, int base) {
  int64_t value = 0;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  for (const char c : text) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
    if (digit >= base) break;
    value =
        static_cast<int64_t>(static_cast<uint64_t>(value) * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit));
  }
  return negative ? -value : value;
}

}  // namespace osp::migrate
