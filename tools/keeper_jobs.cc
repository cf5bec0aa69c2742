#include "tools/keeper_jobs.h"

#include <boost/context/pooled_fixedsize_stack.hpp>

namespace osp::keeper {
namespace {

constexpr size_t stack_size = 256 * 1024;

}  // namespace

Jobs& jobs() {
  static Jobs all;
  return all;
}

void Jobs::start(std::function<void()> body) {
  static boost::context::pooled_fixedsize_stack stacks(stack_size);
  auto* const job = new Job;  // deleted by run() when it is done
  job->context = boost::context::fiber(std::allocator_arg, stacks, [job, work = std::move(body)](auto&& loop) {
    job->loop = std::move(loop);
    work();
    job->done = true;
    return std::move(job->loop);
  });
  resume(job);
}

void Jobs::park() {
  Job* const self = current_;
  self->loop = std::move(self->loop).resume();
}

void Jobs::run() {
  while (!ready_.empty()) {
    current_ = ready_.front();
    ready_.pop_front();
    current_->context = std::move(current_->context).resume();
    if (current_->done) delete current_;
  }
  current_ = nullptr;
}

}  // namespace osp::keeper
