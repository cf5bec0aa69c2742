#include "libosp/device/memory_devices.h"

#include <algorithm>

#include "libosp/host/host.h"
#include "libosp/memory/segment.h"
#include "libosp/task/process.h"
#include "libosp/trap/frame.h"

namespace osp::device {
namespace {

constexpr size_t most_random = 256;  // what the host gives whole

class MemoryDevice : public file::Description {
 public:
  MemoryDevice(const Node& node, int open_flags) : attributes_(node.attributes) {
    flags = open_flags;
    set_path(node.path);
  }
  long write(task::Thread&, const void*, size_t size) override { return static_cast<long>(size); }
  long pread(task::Thread& thread, void* to, size_t size, int64_t) override { return read(thread, to, size); }
  long pwrite(task::Thread& thread, const void* from, size_t size, int64_t) override {
    return write(thread, from, size);
  }
  long seek(int64_t, int) override { return 0; }
  Result<pip::Attributes> stat() override { return attributes_; }

 private:
  pip::Attributes attributes_;
};

class Null final : public MemoryDevice {
 public:
  using MemoryDevice::MemoryDevice;
  long read(task::Thread&, void*, size_t) override { return 0; }
};

class Zero : public MemoryDevice {
 public:
  using MemoryDevice::MemoryDevice;
  long read(task::Thread& thread, void* to, size_t size) override {
    static constexpr std::byte zeros[4096] = {};
    for (size_t done = 0; done < size; done += sizeof zeros) {
      const size_t part = std::min(size - done, sizeof zeros);
      if (osp_user_copy(static_cast<std::byte*>(to) + done, zeros, part) != 0)
        return done > 0 ? static_cast<long>(done) : -EFAULT;
      if (done != 0 && thread.process.signal_waits(thread)) return static_cast<long>(done + part);
    }
    return static_cast<long>(size);
  }
  // New zeroes each time.
  Result<pip::PageRange> map(uint64_t offset, uint64_t size, bool) override {
    OSP_ASSIGN(const std::shared_ptr<memory::Segment> segment, memory::Segment::make(offset + size));
    return pip::PageRange{.fd = segment->handle(), .fd_offset = offset, .size = offset + size, .keep = segment};
  }
};

class Full final : public Zero {
 public:
  using Zero::Zero;
  long write(task::Thread&, const void*, size_t) override { return -ENOSPC; }
  Result<pip::PageRange> map(uint64_t, uint64_t, bool) override { return fail(ENODEV); }
};

class Random final : public MemoryDevice {
 public:
  using MemoryDevice::MemoryDevice;
  long read(task::Thread& thread, void* to, size_t size) override {
    std::byte bytes[most_random];
    for (size_t done = 0; done < size; done += sizeof bytes) {
      const size_t part = std::min(size - done, sizeof bytes);
      if (const long got = host::random(bytes, part); got < 0) return got;
      if (osp_user_copy(static_cast<std::byte*>(to) + done, bytes, part) != 0)
        return done > 0 ? static_cast<long>(done) : -EFAULT;
      if (done != 0 && thread.process.signal_waits(thread)) return static_cast<long>(done + part);
    }
    return static_cast<long>(size);
  }
};

}  // namespace

Result<std::shared_ptr<file::Description>> open_memory_device(const Node& node, int flags) {
  const uint64_t device = node.attributes.device;
  if (device == null_device) return std::make_shared<Null>(node, flags);
  if (device == zero_device) return std::make_shared<Zero>(node, flags);
  if (device == full_device) return std::make_shared<Full>(node, flags);
  if (device == random_device || device == urandom_device) return std::make_shared<Random>(node, flags);
  return fail(ENXIO);
}

}  // namespace osp::device
