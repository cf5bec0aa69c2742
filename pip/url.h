#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace osp::pip {

constexpr uint16_t default_port = 5640;

// Where a server is.
struct Address {
  std::string unix_path{};  // not empty: a unix socket, and the rest is unused
  std::string host{};
  uint16_t port = default_port;
  bool in_clear = false;  // of tcp: not sealed
  bool is_udp = false;

  [[nodiscard]] bool is_sealed() const { return unix_path.empty() && !in_clear; }
  // "unix:/path", "tcp:host:port", "udp:host:port", with an IPv6 address in brackets.
  [[nodiscard]] std::string text() const;
  // "host:port": of a host's server, whatever carries the connection.
  [[nodiscard]] std::string host_and_port() const;
};

// A file on a server: pip://HOST[:PORT]/path (sealed), pip+udp://HOST[:PORT]/path (sealed),
// pip+clear://HOST[:PORT]/path, or pip+unix:///path/of/socket!/path.
struct Url {
  Address address;
  std::string path;  // as Server wants it: clean, no leading slash

  // The URL without its path.
  [[nodiscard]] std::string server() const;
  [[nodiscard]] std::string text() const;
};

[[nodiscard]] bool is_url(std::string_view text);
// Percent escapes are decoded; doubled and trailing slashes and "." are dropped. EINVAL: no URL of these forms, a port
// that is none, or a path with "..".
Result<Url> parse_url(std::string_view text);
// What pipd listens on: unix:PATH, tcp:ADDRESS[:PORT], udp:ADDRESS[:PORT]. EINVAL.
Result<Address> parse_address(std::string_view text);

}  // namespace osp::pip
