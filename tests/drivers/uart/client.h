#pragma once

#include <sys/mman.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"
#include "libosp/host/native.h"
#include "pip/task_layout.h"

// A client of the driver, in a task of the microkernel's: good, or as bad as a test wants it.
class Client {
 public:
  using Say = osp::pip::task::Say;
  static constexpr uint64_t segment_size = 64 * 1024, room_at = 32 * 1024, room_size = 8 * 1024;

  explicit Client(uint32_t answers = 8);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects; 0, or the errno of the welcome; ETIMEDOUT: there is none.
  int connect(uint64_t told_size = segment_size);
  static long say(Say say, uint64_t first, uint64_t second, uint64_t third, uint64_t fourth, uint32_t handle);
  // Puts a body into the segment, and asks.
  long ask(std::string_view body) const;
  // What is answered to ask(); "": nothing in time, or that it was nonsense.
  [[nodiscard]] std::string answer() const;

  [[nodiscard]] uint32_t segment() const { return segment_; }
  [[nodiscard]] uint32_t queue() const { return queue_; }

 private:
  uint32_t segment_, queue_;
  char* memory_;
};

// The body of a group.
std::string group(const std::vector<osp::pip::Message>& messages);
