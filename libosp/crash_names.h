#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace osp {

// The core's functions by address, from the symbol table of its file. No heap, no locks: for a core that has failed.
class CoreSymbols {
 public:
  // Maps the file at `path` (null: none). If it is not what the core was loaded from, nothing is found.
  explicit CoreSymbols(const char* path);

  struct Found {
    std::string_view name;  // mangled
    uint64_t offset = 0;    // of the address in the function
  };
  [[nodiscard]] std::optional<Found> find(uint64_t address) const;

 private:
  template <class T>
  [[nodiscard]] const T* at(uint64_t offset, uint64_t count = 1) const;

  const std::byte* file_ = nullptr;  // stays mapped
  uint64_t size_ = 0;
};

// The name without its parameters ("osp::task::Scheduler::park"), written into `out`; names that say more than that
// (templates, operators) stay as they are.
std::string_view readable_name(std::string_view mangled, char* out, size_t size);

}  // namespace osp
