#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace osp::kernel {

// A system call as kernel/cpu/entry.S calls it: six registers. Every function of the families is made one by entry<>.
using CallEntry = long (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

template <typename T>
T argument(uint64_t value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

template <auto function>
struct Adapter;

template <typename... Args, long (*function)(Args...)>
struct Adapter<function> {
  static_assert(sizeof...(Args) <= 6);

  static long call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
    const uint64_t all[] = {a, b, c, d, e, f};
    return spread(all, std::make_index_sequence<sizeof...(Args)>());
  }

  template <size_t... index>
  static long spread(const uint64_t* all, std::index_sequence<index...>) {
    return function(argument<Args>(all[index])...);
  }
};

template <auto function>
inline constexpr CallEntry entry_of = Adapter<function>::call;

}  // namespace osp::kernel
