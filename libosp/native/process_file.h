#pragma once

#include "libosp/file/files.h"
#include "libosp/native/processes.h"

namespace osp::native {

// pidfd_open(2): readable when the process has ended.
class ProcessFile final : public file::Description {
 public:
  // Of a process that is there.
  ProcessFile(const Member& member, int open_flags);
  long read(task::Thread&, void*, size_t) override { return -EINVAL; }
  long write(task::Thread&, const void*, size_t) override { return -EINVAL; }
  Result<pip::Attributes> stat() override { return attributes_; }
  [[nodiscard]] short ready() const override { return ending_->happened ? POLLIN : 0; }
  task::WaitQueue* changes() override { return &ending_->changed; }

  [[nodiscard]] int pid() const { return pid_; }
  // Null: it has been waited for, whoever has its pid now.
  [[nodiscard]] Member* find(Processes& among) const;

 private:
  int pid_;
  std::shared_ptr<Ending> ending_;
  pip::Attributes attributes_;
};

}  // namespace osp::native
