#pragma once

#include <map>
#include <memory>

#include "drivers/uart/session.h"
#include "libosp/host/native.h"

namespace osp::uart {

// A task's connection: the segment that it shares with us, and the queue of its answers (pip/task_layout.h). What the
// client writes may be anything at any time: it is checked, and copied before it is read.
class Connection {
 public:
  // Maps the segment at `place`, where nothing is for `reach` bytes. Takes the handle over.
  Connection(uint32_t segment, uint64_t size, uintptr_t place);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  static constexpr size_t reach = size_t{1} << 36;  // more than a machine has

  [[nodiscard]] uintptr_t place() const { return place_; }
  // Both false: the client is of no more use.
  [[nodiscard]] bool answer_to(uint32_t queue);
  [[nodiscard]] bool take_frame(const native::Message& message);
  bool advance(const Tree& tree, Round& round);
  [[nodiscard]] bool waits_for_the_line() const { return session_.waits_for_the_line(); }

 private:
  struct Room {
    uint64_t offset, size;
  };
  long map(uint64_t size);
  [[nodiscard]] bool is_inside(uint64_t offset, uint64_t size) const;
  void answer(uint64_t room_offset, std::string_view body);

  uint32_t segment_, queue_ = native::no_handle;
  uintptr_t place_;
  uint64_t size_ = 0;  // 0: it could not be mapped
  long error_ = 0;
  bool broken_ = false;
  std::map<uint64_t, Room> rooms_;  // by ticket
  uint64_t last_ticket_ = 0;
  Session session_;
};

// The connections, by their tasks.
class Connections {
 public:
  static constexpr size_t most = 16;

  // A message to the driver.
  void take(const native::Message& message);
  void advance(const Tree& tree);
  [[nodiscard]] bool wait_for_the_line() const;

 private:
  void begin(const native::Message& message);
  std::map<uint64_t, std::unique_ptr<Connection>> all_;
};

}  // namespace osp::uart
