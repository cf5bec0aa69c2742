#pragma once

#include <string>
#include <string_view>
#include <vector>

// What a peer may do on a server, by whole paths (pip/server.h). No function blocks.
namespace osp::pip {

struct Grant {
  std::string path{};  // it and all below
  bool may_write = false;

  friend bool operator==(const Grant&, const Grant&) = default;
};

// The union of some grants; without one, nothing is allowed.
class Access {
 public:
  Access() = default;
  explicit Access(std::vector<Grant> grants) : grants_(std::move(grants)) {}
  static Access everything() { return Access({{.path = "", .may_write = true}}); }

  [[nodiscard]] bool is_everything() const;
  [[nodiscard]] bool is_nothing() const { return grants_.empty(); }
  // Contents and attributes.
  [[nodiscard]] bool may_read(std::string_view path) const;
  [[nodiscard]] bool may_write(std::string_view path) const;
  // To make, remove or move what has this name: it lies below a path that may be written to.
  [[nodiscard]] bool may_name(std::string_view path) const;
  // To see that it is there: it may be read, or is on the way to what may.
  [[nodiscard]] bool may_pass(std::string_view path) const;

  friend bool operator==(const Access&, const Access&) = default;

 private:
  std::vector<Grant> grants_;
};

// Whether `path` is `above`, or below it.
[[nodiscard]] bool is_within(std::string_view path, std::string_view above);

// Where a server keeps what was removed while it was open: clients do not see it, nor have a use for the name.
constexpr std::string_view held_directory = ".osp-held";
[[nodiscard]] inline bool is_held(std::string_view path) { return is_within(path, held_directory); }

}  // namespace osp::pip
