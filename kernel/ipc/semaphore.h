#pragma once

#include "kernel/ipc/object.h"
#include "kernel/library/lock.h"
#include "kernel/task/wait.h"

namespace osp::kernel {

template <typename T>
class Pool;

// A counting semaphore. Interrupt handlers may up it.
class Semaphore : public Object {
 public:
  static constexpr Kind object_kind = Kind::semaphore;

  // Null: no memory.
  [[nodiscard]] static Semaphore* create(uint32_t count);
  static void destroy(Semaphore* semaphore);

  // EOVERFLOW: the count is at its highest.
  long up();
  // EAGAIN ETIMEDOUT EINTR.
  [[nodiscard]] long down(uint64_t deadline_ns);

  // For select, as Queue's.
  [[nodiscard]] bool ready();
  void watch(Waiter& waiter);
  void forget(Waiter& waiter);

 private:
  explicit Semaphore(uint32_t count) : Object(Kind::semaphore), count_(count) {}
  ~Semaphore() = default;
  friend class Pool<Semaphore>;

  Spinlock lock_;
  uint32_t count_;
  WaiterList waiters_;
};

}  // namespace osp::kernel
