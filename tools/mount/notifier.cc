#include "tools/mount/notifier.h"

#include <utility>

namespace osp::fuse {

Notifier::Notifier(std::function<void(uint64_t)> forget) : forget_(std::move(forget)), thread_([this] { run(); }) {}

Notifier::~Notifier() {
  {
    const std::scoped_lock lock(lock_);
    ends_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Notifier::contents_changed(uint64_t number) {
  {
    const std::scoped_lock lock(lock_);
    changed_.insert(number);
  }
  wake_.notify_one();
}

void Notifier::run() {
  std::unique_lock lock(lock_);
  while (true) {
    wake_.wait(lock, [this] { return ends_ || !changed_.empty(); });
    if (ends_) return;
    const std::set<uint64_t> changed = std::exchange(changed_, {});
    lock.unlock();
    for (const uint64_t number : changed) forget_(number);
    lock.lock();
  }
}

}  // namespace osp::fuse
