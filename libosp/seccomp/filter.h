#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

namespace osp::seccomp {

// A program in classic BPF that says what is to become of a system call (seccomp(2)), checked before it may run: it
// ends, jumps nowhere but forward within itself, and reads nothing but what it has been given or has written.
class Filter {
 public:
  // EINVAL: not a program that Linux would take.
  static Result<std::shared_ptr<const Filter>> make(std::span<const sock_filter> program,
                                                    std::shared_ptr<const Filter> older);
  ~Filter();
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // SECCOMP_RET_* with its data, of this program alone.
  [[nodiscard]] uint32_t run_alone(const seccomp_data& data) const;
  // Of all that were installed: the one that counts most; of equals, the newest.
  [[nodiscard]] uint32_t run(const seccomp_data& data) const;

  [[nodiscard]] const Filter* older() const { return older_.get(); }
  [[nodiscard]] std::span<const sock_filter> program() const { return program_; }
  // How many there are, with those that are older.
  [[nodiscard]] unsigned depth() const;
  // What the kernel counts of a chain: instructions, and four more for each program.
  [[nodiscard]] size_t weight() const;
  // Whether it is `other` or older.
  [[nodiscard]] bool is_below(const Filter* other) const;

 private:
  Filter(std::span<const sock_filter> program, std::shared_ptr<const Filter> older)
      : program_(program.begin(), program.end()), older_(std::move(older)) {}

  std::vector<sock_filter> program_;
  mutable std::shared_ptr<const Filter> older_;  // changes at the end alone
};

// The most that a chain may weigh (MAX_INSNS_PER_PATH in kernel/seccomp.c).
inline constexpr size_t most_weight = 32768;

}  // namespace osp::seccomp
