#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <span>
#include <string>

#include "base/result.h"

namespace osp::device {

// The name of a unix socket (unix(7)): empty: it has none; abstract: begins with a NUL byte; else a path.
struct UnixAddress {
  std::string name;

  [[nodiscard]] bool is_unnamed() const { return name.empty(); }
  [[nodiscard]] bool is_abstract() const;
  [[nodiscard]] bool is_path() const;

  // From `size` bytes of a sockaddr_un. EINVAL: too short or too long, or of another family.
  static Result<UnixAddress> parse(std::span<const std::byte> address);
  // As a sockaddr_un; its size with it.
  socklen_t format(sockaddr_un& to) const;
};

}  // namespace osp::device
