#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

namespace osp::fuse {

// Has the kernel forget what it keeps of files' contents. In a thread of its own, since the kernel may first wait for
// reads that we are to answer.
class Notifier {
 public:
  // `forget` is called in the thread, with the number of a file.
  explicit Notifier(std::function<void(uint64_t)> forget);
  // Waits for the call that is on its way; the kernel must not wait for us any more.
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // Soon.
  void contents_changed(uint64_t number);

 private:
  void run();

  std::function<void(uint64_t)> forget_;
  std::mutex lock_;
  std::condition_variable wake_;
  std::set<uint64_t> changed_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace osp::fuse
