#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "kernel/cpu/frame.h"

extern "C" {
long osp_copy(void* to, const void* from, size_t size);
long osp_load_word(const uint32_t* from, uint32_t* to);
long osp_store_word(uint32_t* to, uint32_t value);
}

// Copies between the kernel and memory that ring 3 names, in the current space. Pages are made as if it had touched
// them itself. All answer 0, or -EFAULT where it may not; some of it may be copied then.
namespace osp::kernel {

inline bool user_may_own(const void* pointer, size_t size) {
  const auto address = reinterpret_cast<uint64_t>(pointer);
  return address < user_end && size <= user_end - address;
}

[[nodiscard]] inline long copy_in(void* to, const void* user, size_t size) {
  return user_may_own(user, size) ? osp_copy(to, user, size) : -EFAULT;
}
[[nodiscard]] inline long copy_out(void* user, const void* from, size_t size) {
  return user_may_own(user, size) ? osp_copy(user, from, size) : -EFAULT;
}

// 64 bytes, one side of which is ring 3's, and known to be where it may own something. osp_copy_line() leaves all
// registers but two alone.
[[nodiscard]] inline long copy_line(void* to, const void* from) {
  long result;
  asm volatile("call osp_copy_line" : "=a"(result) : "D"(to), "S"(from) : "rcx", "memory", "cc");
  return result;
}

template <typename T>
[[nodiscard]] long load_user(const T* user, T& to) {
  return copy_in(&to, user, sizeof(T));
}
template <typename T>
[[nodiscard]] long store_user(T* user, const T& value) {
  return copy_out(user, &value, sizeof(T));
}

// One access, so that it is whole. `user` is aligned, or -EINVAL.
[[nodiscard]] inline long load_user_word(const uint32_t* user, uint32_t& to) {
  if (!user_may_own(user, sizeof *user)) return -EFAULT;
  return reinterpret_cast<uint64_t>(user) % sizeof *user == 0 ? osp_load_word(user, &to) : -EINVAL;
}
[[nodiscard]] inline long store_user_word(uint32_t* user, uint32_t value) {
  return user_may_own(user, sizeof *user) ? osp_store_word(user, value) : -EFAULT;
}

}  // namespace osp::kernel
