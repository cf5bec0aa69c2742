#pragma once

#include <sys/uio.h>

#include <functional>
#include <vector>

#include "libosp/linux/call.h"
#include "libosp/trap/fast.h"

namespace osp::linux {

// What is left of the buffers of a write(2), writev(2), sendto(2), sendmsg(2) or recvfrom(2).
class Buffers {
 public:
  explicit Buffers(std::vector<iovec> left);
  // An array in the program's memory. EFAULT; EINVAL for more than IOV_MAX.
  static Result<Buffers> at(uint64_t address, uint64_t count);

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] iovec* data() { return left_.data(); }
  [[nodiscard]] size_t count() const { return left_.size(); }
  void advance(size_t done);
  // At most the first `size` bytes.
  [[nodiscard]] iovec front(size_t size) const;

 private:
  std::vector<iovec> left_;
  size_t size_ = 0;
};

inline constexpr size_t always_whole = trap::always_whole;

// write(2) and writev(2) of a blocking fd of the host end early only for a signal of the program's: neither for a tick
// nor for our control signal, and other threads run while the reader, which may be one of them, is slow.
long write_whole(Call& call);

// The same for what a call sends into a stream socket or receives from it, when it is ready for `events`. `attempt`
// makes one with what is left, without waiting if it must not; 0: there is no more.
long transfer_whole(Call& call, int fd, short events, Buffers left,
                    const std::function<long(Buffers&, bool may_wait)>& attempt);

}  // namespace osp::linux
