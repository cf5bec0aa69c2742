#include "libosp/task/wait_queue.h"

#include <algorithm>

namespace osp::task {

Listener::Listener(WaitQueue& queue) : queue_(&queue) { queue.listeners_.push_back(this); }

Listener::~Listener() {
  if (queue_ != nullptr) std::erase(queue_->listeners_, this);
}

WaitQueue::~WaitQueue() {
  for (Listener* listener : listeners_) listener->queue_ = nullptr;
}

void WaitQueue::notify() {
  for (size_t i = 0; i < listeners_.size(); ++i) listeners_[i]->changed();
}

}  // namespace osp::task
