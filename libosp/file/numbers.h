#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace osp::file {

// Who gives the fds of a process their numbers, and remembers which are closed by exec: the host, where programs have
// fds of the host beside the core's files; or the core alone. Not thread-safe.
class Numbers {
 public:
  virtual ~Numbers() = default;
  // The lowest free number from `lowest` on. EMFILE; EINVAL: `lowest` is no possible number.
  virtual long take(int lowest, bool close_on_exec) = 0;
  // This number, whether or not it is free. EBADF: it is beyond the limit.
  virtual long take_at(int fd, bool close_on_exec) = 0;
  virtual void give_back(int fd) = 0;
  // All that are taken, in order.
  [[nodiscard]] virtual std::vector<int> taken() const = 0;
  [[nodiscard]] virtual bool closes_on_exec(int fd) const = 0;
  virtual void set_close_on_exec(int fd, bool close_on_exec) = 0;
  // RLIMIT_NOFILE, where the core keeps it.
  virtual void set_limit(uint64_t limit) = 0;
  // What a forked process has.
  [[nodiscard]] virtual std::unique_ptr<Numbers> clone() const = 0;
};

// The core's own: for the native host.
class OwnNumbers final : public Numbers {
 public:
  static constexpr uint64_t default_limit = 1024, most = 1 << 20;

  long take(int lowest, bool close_on_exec) override;
  long take_at(int fd, bool close_on_exec) override;
  void give_back(int fd) override;
  [[nodiscard]] std::vector<int> taken() const override;
  [[nodiscard]] bool closes_on_exec(int fd) const override;
  void set_close_on_exec(int fd, bool close_on_exec) override;
  void set_limit(uint64_t limit) override { limit_ = limit < most ? limit : most; }
  [[nodiscard]] std::unique_ptr<Numbers> clone() const override { return std::make_unique<OwnNumbers>(*this); }

 private:
  void mark(size_t fd, bool close_on_exec);

  std::vector<bool> taken_, close_on_exec_;
  size_t first_free_ = 0;  // none is free below
  uint64_t limit_ = default_limit;
};

}  // namespace osp::file
