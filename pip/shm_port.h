#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pip/shm_layout.h"

namespace osp::pip {

// What a client of the keeper needs of where it runs.
class ShmLink {
 public:
  virtual ~ShmLink() = default;
  // Tells the keeper that there are requests.
  virtual void ring() = 0;
  // Waits until header.replies is not `seen`; may return before. EINTR: the caller is to end; EIO: the keeper is gone.
  virtual Result<void> wait(shm::Header& header, uint32_t seen) = 0;
  // The fd that the keeper has sent under this serial; the caller's. EIO: there is none.
  virtual Result<int> receive_fd(uint32_t serial) = 0;
  virtual void close_fd(int fd) = 0;
};

struct ShmReply {
  int status = 0;  // 0, or an errno
  std::string bytes{};
};

// The client's end of a segment. Several fibers of one host thread may have requests in it at once; not thread-safe.
class ShmPort {
 public:
  // Both must live longer. The segment is as the keeper made it.
  ShmPort(std::byte* segment, ShmLink& link) : segment_(segment), link_(link) {}

  // Puts a request into a slot, waiting for one if need be. Returns its tag. EMSGSIZE, EINTR, EIO.
  Result<uint64_t> submit(shm::Kind kind, uint32_t server, std::string_view request);
  // Waits for the reply, once for each tag. ESTALE: a tag from before a fork. EINTR, EIO.
  Result<ShmReply> wait(uint64_t tag);
  void forget(uint64_t tag);
  Result<ShmReply> exchange(shm::Kind kind, uint32_t server, std::string_view request);

  // In a forked child: another segment, in which nothing is asked.
  void replace(std::byte* segment);
  [[nodiscard]] shm::Header& header() { return *reinterpret_cast<shm::Header*>(segment_); }
  [[nodiscard]] std::byte* segment() { return segment_; }
  [[nodiscard]] ShmLink& link() { return link_; }

 private:
  struct Asked {
    uint64_t tag = 0;  // 0: the slot is free
    bool forgotten = false;
  };

  size_t find(uint64_t tag) const;
  bool is_done(size_t slot);
  bool has_just_come(size_t slot, uint64_t tag);
  ShmReply take(size_t slot);
  bool collect();
  Result<size_t> free_slot();

  std::byte* segment_;
  ShmLink& link_;
  std::array<Asked, shm::slot_count> asked_;
  std::map<uint64_t, ShmReply> replies_;  // taken out of their slots before anybody waited
  uint64_t last_tag_ = 0;
};

}  // namespace osp::pip
