#include "libosp/device/event_file.h"

#include "libosp/device/support.h"
#include "libosp/trap/frame.h"

namespace osp::device {
namespace {

constexpr uint64_t most = UINT64_MAX - 1;

}  // namespace

EventFile::EventFile(uint64_t count, bool is_semaphore, int open_flags)
    : count_(count), is_semaphore_(is_semaphore), attributes_(attributes_of_new(0600)) {
  flags = open_flags;
}

long EventFile::read(task::Thread& thread, void* to, size_t size) {
  if (size < sizeof count_) return -EINVAL;
  while (count_ == 0) {
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, changed_); stop != 0) return stop;
  }
  const uint64_t taken = is_semaphore_ ? 1 : count_;
  count_ -= taken;
  changed_.notify();
  return osp_user_copy(to, &taken, sizeof taken) == 0 ? static_cast<long>(sizeof taken) : -EFAULT;
}

long EventFile::write(task::Thread& thread, const void* from, size_t size) {
  uint64_t added = 0;
  if (size < sizeof added) return -EINVAL;
  if (osp_user_copy(&added, from, sizeof added) != 0) return -EFAULT;
  if (added > most) return -EINVAL;
  while (added > most - count_) {
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, changed_); stop != 0) return stop;
  }
  count_ += added;
  changed_.notify();
  return sizeof added;
}

short EventFile::ready() const { return static_cast<short>((count_ > 0 ? POLLIN : 0) | (count_ < most ? POLLOUT : 0)); }

}  // namespace osp::device
