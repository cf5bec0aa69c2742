#pragma once

#include <boost/context/fiber.hpp>
#include <deque>
#include <functional>
#include <vector>

namespace osp::keeper {

// Work that waits in the middle, without threads: each job has a stack of its own and runs until it parks.
class Jobs {
 public:
  struct Job {
    boost::context::fiber context{};  // the job while it is parked
    boost::context::fiber loop{};     // the loop while the job runs
    bool done = false;
  };

  // Puts a new job in the run queue.
  void start(std::function<void()> body);
  // The job that runs; null in the loop.
  [[nodiscard]] Job* current() const { return current_; }
  // In a job: gives way until resume().
  void park();
  // Puts a parked job in the run queue; once for each park().
  void resume(Job* job) { ready_.push_back(job); }
  // In the loop: runs jobs until all are parked.
  void run();

 private:
  std::deque<Job*> ready_;
  Job* current_ = nullptr;
};

// The process's; the keeper has one thread that runs jobs.
Jobs& jobs();

// Jobs that wait for the same thing.
class WaitList {
 public:
  void wait() {
    waiting_.push_back(jobs().current());
    jobs().park();
  }
  void wake_all() {
    for (Jobs::Job* job : std::exchange(waiting_, {})) jobs().resume(job);
  }

 private:
  std::vector<Jobs::Job*> waiting_;
};

}  // namespace osp::keeper
