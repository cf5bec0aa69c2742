#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pip/host_walk.h"
#include "pip/shm_layout.h"

namespace osp::pip {

// The keeper's end of a segment: ordinary libc, not for the core. The client may write to the segment at any time, so
// what counts is read once, and checked. One thread.
class ShmServer {
 public:
  // Makes a segment and the event. ENOMEM, EMFILE.
  static Result<std::unique_ptr<ShmServer>> create();
  ~ShmServer();
  ShmServer(const ShmServer&) = delete;
  ShmServer& operator=(const ShmServer&) = delete;

  struct Request {
    size_t slot;
    shm::Kind kind;
    uint32_t server;
    std::string_view bytes;  // in the segment, until replied
  };
  // New requests in the order in which they were made.
  std::vector<Request> take();
  // The area that the reply to a slot may be written to.
  [[nodiscard]] std::byte* area(size_t slot) { return shm::reply_area(segment_, slot); }
  // Finishes a request. `status` 0: the first `size` bytes of the area are the reply. Wakes the client. False: the
  // client has given up waiting and never looks at it.
  bool reply(size_t slot, int status, size_t size);
  // The same with bytes that are copied; EMSGSIZE if there are too many.
  bool reply(size_t slot, int status, std::string_view bytes);

  [[nodiscard]] uint32_t locks_settled() { return header().locks_settled.load(); }
  [[nodiscard]] int segment_fd() const { return segment_fd_.get(); }
  [[nodiscard]] int event_fd() const { return event_fd_.get(); }

 private:
  ShmServer(std::byte* segment, HostFd segment_fd, HostFd event_fd)
      : segment_(segment), segment_fd_(std::move(segment_fd)), event_fd_(std::move(event_fd)) {}
  shm::Header& header() { return *reinterpret_cast<shm::Header*>(segment_); }

  std::byte* segment_;
  HostFd segment_fd_;
  HostFd event_fd_;
  std::array<bool, shm::slot_count> busy_{};
};

// Sends a notice with fds over a SOCK_SEQPACKET socket. EPIPE: nobody is there.
Result<void> send_notice(int socket, uint32_t serial, const std::vector<int>& fds);

// Receives one, by raw system calls (also for the core): the fds are the caller's. EAGAIN: nothing has come;
// EIO: the other end is closed.
struct ReceivedNotice {
  uint32_t serial = 0;
  std::vector<int> fds{};
};
Result<ReceivedNotice> receive_notice(int socket, bool may_block);

}  // namespace osp::pip
