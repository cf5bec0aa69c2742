#include "libosp/file/served_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "libosp/linux/call.h"
#include "libosp/signal/deliver.h"
#include "namespace/mem_file.h"

namespace osp::file {
namespace {

constexpr size_t chunk = 256 * 1024;
constexpr size_t entries_at_once = 256;
constexpr size_t header_size = offsetof(dirent64, d_name);

// Program memory that is bad must be EFAULT, and servers are given core memory only.
template <class Step>
long by_chunks(size_t size, Step step) {
  std::vector<std::byte> buffer(std::min(size, chunk));
  size_t done = 0;
  while (done < size) {
    const size_t part = std::min(size - done, buffer.size());
    const Result<size_t> moved = step(std::span(buffer.data(), part), done);
    if (!moved) return done > 0 ? static_cast<long>(done) : -moved.error().code;
    done += *moved;
    if (*moved < part) break;
  }
  return static_cast<long>(done);
}

// RLIMIT_FSIZE, see setrlimit(2).
uint64_t size_limit() { return task::limit_of(task::process(), RLIMIT_FSIZE).rlim_cur; }

long refuse_size(task::Thread& thread) {
  thread.process.send(thread, signal::make_info(SIGXFSZ, SI_USER));
  return -EFBIG;
}

unsigned char type_of(uint32_t mode) { return static_cast<unsigned char>((mode & S_IFMT) >> 12); }

// One entry in getdents64's form; 0 if it does not fit.
size_t pack(std::byte* to, size_t room, const char* name, size_t name_size, uint64_t id, int64_t next,
            unsigned char type) {
  const size_t size = (header_size + name_size + 1 + 7) & ~size_t{7};
  if (size > room) return 0;
  std::memset(to, 0, size);
  auto* entry = reinterpret_cast<dirent64*>(to);
  entry->d_ino = id, entry->d_off = next, entry->d_reclen = static_cast<uint16_t>(size), entry->d_type = type;
  std::memcpy(entry->d_name, name, name_size);
  return size;
}

}  // namespace

std::shared_ptr<ServedFile> ServedFile::of(ns::OpenedPlace opened) {
  auto file = std::make_shared<ServedFile>(std::move(opened.opened.file));
  const bool is_merged = S_ISDIR(opened.opened.attributes.mode) && opened.place.is_merged();
  if (!is_merged) file->set_server(opened.place.server().name());
  file->set_path(opened.place.path());
  return file;
}

long ServedFile::pread(task::Thread&, void* to, size_t size, int64_t offset) {
  return by_chunks(size, [&](std::span<std::byte> buffer, size_t done) -> Result<size_t> {
    OSP_ASSIGN(const size_t got, file_->read(static_cast<uint64_t>(offset) + done, buffer));
    if (osp_user_copy(static_cast<std::byte*>(to) + done, buffer.data(), got) != 0) return fail(EFAULT);
    return got;
  });
}

long ServedFile::pwrite(task::Thread& thread, const void* from, size_t size, int64_t offset) {
  const bool append = (flags & O_APPEND) != 0;
  if (const uint64_t limit = size_limit(); limit != RLIM_INFINITY && size > 0) {
    const auto now = file_->stat();
    const uint64_t at = append && now ? now->size : static_cast<uint64_t>(offset);
    if (at >= limit) return refuse_size(thread);
    size = std::min(size, limit - at);
  }
  return by_chunks(size, [&](std::span<std::byte> buffer, size_t done) -> Result<size_t> {
    if (osp_user_copy(buffer.data(), static_cast<const std::byte*>(from) + done, buffer.size()) != 0)
      return fail(EFAULT);
    if (!append) return file_->write(static_cast<uint64_t>(offset) + done, buffer);
    OSP_ASSIGN(const uint64_t end, file_->append(buffer));
    offset_.set(end);
    return buffer.size();
  });
}

long ServedFile::read(task::Thread& thread, void* to, size_t size) {
  const uint64_t at = offset_.get();
  const long got = pread(thread, to, size, static_cast<int64_t>(at));
  if (got > 0) offset_.set(at + static_cast<uint64_t>(got));
  return got;
}

long ServedFile::write(task::Thread& thread, const void* from, size_t size) {
  const uint64_t at = offset_.get();
  const long done = pwrite(thread, from, size, static_cast<int64_t>(at));
  if (done > 0 && (flags & O_APPEND) == 0) offset_.set(at + static_cast<uint64_t>(done));
  return done;
}

long ServedFile::seek(int64_t offset, int whence) {
  int64_t base = 0;
  if (whence == SEEK_CUR) base = static_cast<int64_t>(offset_.get());
  if (whence == SEEK_END || whence == SEEK_HOLE || whence == SEEK_DATA) {
    const auto now = file_->stat();
    if (!now) return -now.error().code;
    const auto size = static_cast<int64_t>(now->size);
    if (whence != SEEK_END && (offset < 0 || offset >= size)) return -ENXIO;
    if (whence == SEEK_DATA) base = 0;  // no holes are told: all is data
    if (whence == SEEK_HOLE) base = size - offset;
    if (whence == SEEK_END) base = size;
  } else if (whence != SEEK_SET && whence != SEEK_CUR) {
    return -EINVAL;
  }
  const int64_t wanted = base + offset;
  if (wanted < 0) return -EINVAL;
  offset_.set(static_cast<uint64_t>(wanted));
  return wanted;
}

// The offset counts entries: 0 is ".", 1 is "..", then the server's.
long ServedFile::list(task::Thread&, void* to, size_t size) {
  std::vector<std::byte> buffer(std::min<size_t>(size, 64 * 1024));
  size_t used = 0;
  uint64_t at = offset_.get();
  const auto add = [&](const std::string& name, uint64_t id, unsigned char type) {
    const size_t packed = pack(buffer.data() + used, buffer.size() - used, name.data(), name.size(), id,
                               static_cast<int64_t>(at + 1), type);
    used += packed;
    at += packed != 0 ? 1 : 0;
    return packed != 0;
  };
  bool room = true;
  if (at < 2) {
    const auto self = file_->stat();
    if (!self) return -self.error().code;
    if (!S_ISDIR(self->mode)) return -ENOTDIR;
    if (at == 0) room = add(".", self->id, DT_DIR);
    if (room && at == 1) room = add("..", self->id, DT_DIR);
  }
  while (room) {
    const auto entries = file_->read_directory(at - 2, entries_at_once);
    if (!entries) return used > 0 ? 0 : -entries.error().code;
    if (entries->empty()) break;
    for (const pip::DirectoryEntry& entry : *entries)
      if (!(room = add(entry.name, entry.attributes.id, type_of(entry.attributes.mode)))) break;
  }
  if (used == 0 && !room) return -EINVAL;
  if (osp_user_copy(to, buffer.data(), used) != 0) return -EFAULT;
  offset_.set(at);
  return static_cast<long>(used);
}

long ServedFile::truncate(uint64_t size) {
  if (size > size_limit()) {
    const auto now = file_->stat();
    if (!now || now->size < size) return refuse_size(*task::process().scheduler.current());
  }
  pip::AttributeChange change;
  change.has_size = true, change.size = size;
  return linux::to_long(file_->change(change));
}

long ServedFile::zero(uint64_t from, uint64_t to) {
  const std::vector<std::byte> zeros(std::min<uint64_t>(to - from, chunk));
  for (uint64_t at = from; at < to;) {
    const auto done = file_->write(at, std::span(zeros).first(std::min<uint64_t>(to - at, zeros.size())));
    if (!done) return -done.error().code;
    at += *done;
  }
  return 0;
}

long ServedFile::sync() { return linux::to_long(file_->commit()); }

// The file's memfd in the page cache, which all processes are given; opened again, so that flock(2) sees an open file
// of its own.
int ServedFile::lock_fd() {
  if (lock_fd_ >= 0) return lock_fd_;
  const auto pages = file_->map(0, 0, false);
  if (!pages) return -pages.error().code;
  char name[32];
  *fmt::format_to(name, "/proc/self/fd/{}", pages->fd) = '\0';
  const long opened = raw::syscall(SYS_open, name, O_RDWR | O_CLOEXEC, 0);
  if (opened < 0) return static_cast<int>(opened);
  const long kept = keep_fd(static_cast<int>(opened));
  if (kept >= 0) lock_fd_ = static_cast<int>(kept);
  return static_cast<int>(kept);
}

std::shared_ptr<Description> ServedFile::reopened(int open_flags) {
  auto* file = dynamic_cast<ns::Reopenable*>(file_.get());
  if (file == nullptr) return nullptr;
  const int access = open_flags & O_ACCMODE;
  pip::OpenMode mode;
  mode.read = access != O_WRONLY, mode.write = access != O_RDONLY;
  mode.append = (open_flags & O_APPEND) != 0, mode.path_only = (open_flags & O_PATH) != 0;
  auto opened = file->again(mode);
  if (!opened) return nullptr;
  auto made = std::make_shared<ServedFile>(std::move(*opened));
  made->set_path(path());
  made->set_server(server_);
  made->flags = open_flags;
  return made;
}

FileIdentity ServedFile::identity() {
  const auto now = file_->stat();
  return now ? FileIdentity{server_, now->id} : Description::identity();
}

long ServedFile::close() { return offset_.is_last() ? linux::to_long(file_->close()) : 0; }

}  // namespace osp::file
