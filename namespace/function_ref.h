#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace osp::ns {

// A callable that is borrowed for the length of a call: two words, no heap, never null.
template <class Signature>
class FunctionRef;

template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> && std::is_invocable_r_v<R, F&, Args...>)
      FunctionRef(F&& function)  // NOLINT(bugprone-forwarding-reference-overload): what is required excludes copies
      : object_(address(function)), call_([](void* object, Args... args) -> R {
          // Back to the type that address() has erased; the object outlives the call.
          auto* callable = reinterpret_cast<std::remove_reference_t<F>*>(object);
          return (*callable)(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  // As a plain address, functions included (POSIX grants that conversion); const is not lost on the
  // way back, since the type is.
  template <class T>
  static void* address(T& callable) {
    if constexpr (std::is_function_v<T>) {
      return reinterpret_cast<void*>(&callable);
    } else {
      return const_cast<void*>(static_cast<const void*>(std::addressof(callable)));
    }
  }

  void* object_;
  R (*call_)(void*, Args...);
};

}  // namespace osp::ns
