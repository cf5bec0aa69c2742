#pragma once

#include <atomic>
#include <cstdint>

namespace osp::kernel {

template <typename T>
class Pool;

// What a handle can name. It lives as long as somebody holds a reference: a handle, a thread that waits, a message.
class Object {
 public:
  enum class Kind : uint8_t { queue, semaphore, segment, space };

  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  [[nodiscard]] Kind kind() const { return kind_; }
  void hold() { references_.fetch_add(1, std::memory_order_relaxed); }
  // The object is gone with the last reference.
  void drop() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
  }

 protected:
  explicit Object(Kind kind) : kind_(kind) {}
  ~Object() = default;

 private:
  [[gnu::noinline, gnu::cold]] void destroy();

  std::atomic<uint32_t> references_ = 1;
  Kind kind_;
};

// A reference that is dropped at the end of the block.
template <typename T>
class Held {
 public:
  Held() = default;
  explicit Held(T* object) : object_(object) {}
  Held(Held&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
  Held& operator=(Held&&) = delete;
  // Drops what it held, and takes over a reference.
  void take(T* object) {
    if (object_ != nullptr) object_->drop();
    object_ = object;
  }
  ~Held() {
    if (object_ != nullptr) object_->drop();
  }

  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  [[nodiscard]] T* get() const { return object_; }
  // Gives the reference to the caller.
  [[nodiscard]] T* release() {
    T* object = object_;
    object_ = nullptr;
    return object;
  }

 private:
  T* object_ = nullptr;
};

}  // namespace osp::kernel
