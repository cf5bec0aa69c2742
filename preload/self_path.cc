#include "preload/self_path.h"

#include <fcntl.h>

#include <cstdint>

#include "base/raw_syscall.h"

namespace osp::preload {
namespace {

// One character after the other, through a small buffer.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) {}
  // -1 at the end.
  int next() {
    if (at_ == filled_) {
      filled_ = raw::read(fd_, buffer_, sizeof buffer_);
      at_ = 0;
    }
    return filled_ <= 0 ? -1 : static_cast<unsigned char>(buffer_[at_++]);
  }

 private:
  int fd_;
  long at_ = 0, filled_ = 0;
  char buffer_[1024];
};

// A hexadecimal number and the character behind it.
uintptr_t number(Reader& reader) {
  uintptr_t value = 0;
  for (int c = reader.next();; c = reader.next()) {
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<uintptr_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + static_cast<uintptr_t>(c - 'a' + 10);
    } else {
      return value;
    }
  }
}

void skip_line(Reader& reader) {
  for (int c = reader.next(); c != '\n' && c != -1;) c = reader.next();
}

// The rest of a line is "perms offset device inode   /path".
bool read_path(Reader& reader, char* path, size_t size) {
  int c = reader.next();
  while (c != '/' && c != '\n' && c != -1) c = reader.next();
  size_t length = 0;
  for (; c != '\n' && c != -1 && length < size; c = reader.next()) path[length++] = static_cast<char>(c);
  if (length == 0 || length == size) return false;
  path[length] = '\0';
  return true;
}

}  // namespace

bool path_of_mapping(const void* address, char* path, size_t size) {
  const long fd = raw::syscall(SYS_open, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  Reader reader(static_cast<int>(fd));
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool found = false;
  for (;;) {
    const uintptr_t start = number(reader), end = number(reader);
    if (end == 0) break;
    if (wanted >= start && wanted < end) {
      found = read_path(reader, path, size);
      break;
    }
    skip_line(reader);
  }
  raw::close(static_cast<int>(fd));
  return found;
}

}  // namespace osp::preload
