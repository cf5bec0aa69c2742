#include "libosp/device/unix_address.h"

#include <cstring>

namespace osp::device {
namespace {

constexpr size_t header_size = offsetof(sockaddr_un, sun_path);

}  // namespace

bool UnixAddress::is_abstract() const { return !name.empty() && name.front() == '\0'; }
bool UnixAddress::is_path() const { return !name.empty() && name.front() != '\0'; }

Result<UnixAddress> UnixAddress::parse(std::span<const std::byte> address) {
  sockaddr_un in = {};
  if (address.size() < sizeof in.sun_family || address.size() > sizeof in) return fail(EINVAL);
  std::memcpy(&in, address.data(), address.size());
  if (in.sun_family != AF_UNIX) return fail(EINVAL);
  const size_t size = address.size() - header_size;
  if (size == 0) return UnixAddress();
  if (in.sun_path[0] == '\0') return UnixAddress{std::string(in.sun_path, size)};
  return UnixAddress{std::string(in.sun_path, strnlen(in.sun_path, size))};
}

socklen_t UnixAddress::format(sockaddr_un& to) const {
  to = {};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, name.data(), std::min(name.size(), sizeof to.sun_path));
  const size_t end = is_path() ? 1 : 0;  // its NUL
  return static_cast<socklen_t>(header_size + name.size() + end);
}

}  // namespace osp::device
