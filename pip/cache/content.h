#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace osp::pip {

// What is known of the bytes of one version of a file.
class Content {
 public:
  explicit Content(uint64_t size) : size_(size) {}

  // What the server answered to a read of `count` bytes at `offset`.
  void add(uint64_t offset, std::string_view bytes);
  // What it would answer to such a read. Empty: not all of it is known.
  [[nodiscard]] std::optional<std::string> read(uint64_t offset, uint64_t count) const;
  [[nodiscard]] bool is_whole() const { return size_ == 0 ? known_ : held_ == size_; }
  [[nodiscard]] uint64_t held() const { return held_; }  // bytes
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  uint64_t size_;
  uint64_t held_ = 0;
  bool known_ = false;                      // something was read
  std::map<uint64_t, std::string> pieces_;  // by offset; they do not overlap
};
using ContentPtr = std::shared_ptr<Content>;

}  // namespace osp::pip
