#include "libosp/device/text_device.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "libosp/device/device_tree.h"
#include "libosp/task/process.h"

namespace osp::device {
namespace {

constexpr unsigned local_major = 60;  // for local use (devices.txt)

// By st_rdev.
std::map<uint64_t, std::string (*)()>& texts() {
  static std::map<uint64_t, std::string (*)()> the_texts;
  return the_texts;
}

class TextFile final : public file::Description {
 public:
  TextFile(const Node& node, std::string text, int open_flags) : attributes_(node.attributes), text_(std::move(text)) {
    flags = open_flags;
    set_path(node.path);
  }
  long read(task::Thread& thread, void* to, size_t size) override {
    const long got = pread(thread, to, size, at_);
    if (got > 0) at_ += got;
    return got;
  }
  long pread(task::Thread&, void* to, size_t size, int64_t offset) override {
    if (offset < 0) return -EINVAL;
    if (static_cast<uint64_t>(offset) >= text_.size()) return 0;
    const size_t part = std::min(size, text_.size() - static_cast<size_t>(offset));
    return osp_user_copy(to, text_.data() + offset, part) == 0 ? static_cast<long>(part) : -EFAULT;
  }
  long write(task::Thread&, const void*, size_t) override { return -EBADF; }
  long seek(int64_t offset, int whence) override {
    const int64_t base = whence == SEEK_CUR ? at_ : whence == SEEK_END ? static_cast<int64_t>(text_.size()) : 0;
    if (whence < SEEK_SET || whence > SEEK_END || base + offset < 0) return -EINVAL;
    return at_ = base + offset;
  }
  Result<pip::Attributes> stat() override { return attributes_; }

 private:
  pip::Attributes attributes_;
  std::string text_;
  int64_t at_ = 0;
};

}  // namespace

void add_text_device(const std::string& name, std::string (*text)()) {
  const uint64_t device = makedev(local_major, static_cast<unsigned>(texts().size()));
  texts()[device] = text;
  add_node(name, S_IFCHR | 0444, device);
}

Result<std::shared_ptr<file::Description>> open_text_device(const Node& node, int flags) {
  const auto found = texts().find(node.attributes.device);
  if (found == texts().end()) return fail(ENXIO);
  if ((flags & O_ACCMODE) != O_RDONLY) return fail(EACCES);
  return std::make_shared<TextFile>(node, found->second(), flags);
}

}  // namespace osp::device
