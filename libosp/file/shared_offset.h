#pragma once

#include <atomic>
#include <cstdint>

namespace osp::file {

// The offset of an open file, shared by all processes that inherited it (fork(2)): in memory that the
// processes of an environment share, counted.
class SharedOffset {
 public:
  // The first maps the pool: none is shared with the process that this was forked from then. Aborts without memory.
  SharedOffset();  // offset 0; ENFILE is not possible: without a free slot it is the process's own
  ~SharedOffset();
  SharedOffset(const SharedOffset&) = delete;
  SharedOffset& operator=(const SharedOffset&) = delete;

  // In a forked child: one more process has it.
  void inherited();
  // Whether no other process has it.
  [[nodiscard]] bool is_last() const;

  [[nodiscard]] uint64_t get() const { return slot_->offset; }
  void set(uint64_t value) { slot_->offset = value; }

 private:
  struct Slot {
    std::atomic<uint32_t> users;
    std::atomic<uint64_t> offset;
  };
  static void prepare();

  static Slot* pool_;
  Slot* slot_;
};

}  // namespace osp::file
