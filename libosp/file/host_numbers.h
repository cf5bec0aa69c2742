#pragma once

#include "libosp/file/numbers.h"

namespace osp::file {

// The host's: a number is taken there by a placeholder, so that the core's files and the host's never share one.
class HostNumbers final : public Numbers {
 public:
  long take(int lowest, bool close_on_exec) override;
  long take_at(int fd, bool close_on_exec) override;
  void give_back(int fd) override;
  [[nodiscard]] std::vector<int> taken() const override;
  [[nodiscard]] bool closes_on_exec(int fd) const override;
  void set_close_on_exec(int fd, bool close_on_exec) override;
  void set_limit(uint64_t) override {}  // the host knows it
  [[nodiscard]] std::unique_ptr<Numbers> clone() const override { return std::make_unique<HostNumbers>(); }
};

}  // namespace osp::file
