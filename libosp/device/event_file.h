#pragma once

#include "libosp/file/files.h"

namespace osp::device {

// eventfd(2).
class EventFile final : public file::Description {
 public:
  EventFile(uint64_t count, bool is_semaphore, int open_flags);
  long read(task::Thread& thread, void* to, size_t size) override;
  long write(task::Thread& thread, const void* from, size_t size) override;
  Result<pip::Attributes> stat() override { return attributes_; }
  [[nodiscard]] short ready() const override;
  task::WaitQueue* changes() override { return &changed_; }

 private:
  uint64_t count_;
  bool is_semaphore_;
  task::WaitQueue changed_;
  pip::Attributes attributes_;
};

}  // namespace osp::device
