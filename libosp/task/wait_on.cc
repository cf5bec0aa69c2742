#include <memory>

#include "libosp/task/process.h"
#include "libosp/task/wait_queue.h"

namespace osp::task {
namespace {

class ParkedThread final : public Listener {
 public:
  ParkedThread(WaitQueue& queue, Thread& thread) : Listener(queue), thread_(thread) {}
  void changed() override { thread_.process.scheduler.wake(thread_, Wake::woken); }

 private:
  Thread& thread_;
};

}  // namespace

Wake wait_on(Thread& thread, std::span<WaitQueue* const> queues, uint64_t deadline_ns, bool interruptible) {
  if (interruptible && thread.process.signal_waits(thread)) return Wake::signal;
  std::vector<std::unique_ptr<ParkedThread>> parked;
  parked.reserve(queues.size());
  for (WaitQueue* queue : queues)
    if (queue != nullptr) parked.push_back(std::make_unique<ParkedThread>(*queue, thread));
  return thread.process.scheduler.park_now(thread, deadline_ns, interruptible);
}

}  // namespace osp::task
