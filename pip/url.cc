#include "pip/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr std::string_view tcp_scheme = "pip://";
constexpr std::string_view udp_scheme = "pip+udp://";
constexpr std::string_view clear_scheme = "pip+clear://";
constexpr std::string_view unix_scheme = "pip+unix://";
constexpr std::array schemes = {tcp_scheme, udp_scheme, clear_scheme, unix_scheme};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

Result<std::string> clean(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") (out += out.empty() ? "" : "/") += name;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return is_clean_path(out) ? Result<std::string>(out) : fail(EINVAL);
}

Result<uint16_t> parse_port(std::string_view digits) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return fail(EINVAL);
  return port;
}

// HOST, HOST:PORT, [IPV6] or [IPV6]:PORT.
Result<Address> parse_host(std::string_view text) {
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return fail(EINVAL);
    address.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const size_t colon = text.find(':');
    address.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (address.host.empty()) return fail(EINVAL);
  if (port.empty()) return address;
  if (!port.starts_with(':')) return fail(EINVAL);
  OSP_ASSIGN(address.port, parse_port(port.substr(1)));
  return address;
}

Result<Url> parse_unix(std::string_view rest) {
  const size_t mark = rest.find('!');
  Url url;
  url.address.unix_path = unescape(rest.substr(0, mark));
  if (!url.address.unix_path.starts_with('/')) return fail(EINVAL);
  if (mark == std::string_view::npos) return url;
  OSP_ASSIGN(url.path, clean(unescape(rest.substr(mark + 1))));
  return url;
}

std::string host_text(const Address& address) {
  return address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
}

}  // namespace

std::string Address::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return (is_udp ? "udp:" : "tcp:") + host_and_port();
}

std::string Address::host_and_port() const { return fmt::format("{}:{}", host_text(*this), port); }

std::string Url::server() const {
  if (!address.unix_path.empty()) return fmt::format("{}{}!", unix_scheme, address.unix_path);
  const std::string_view scheme = address.is_udp ? udp_scheme : address.in_clear ? clear_scheme : tcp_scheme;
  return fmt::format("{}{}:{}", scheme, host_text(address), address.port);
}

std::string Url::text() const { return server() + "/" + path; }

bool is_url(std::string_view text) {
  return std::ranges::any_of(schemes, [&](std::string_view scheme) { return text.starts_with(scheme); });
}

Result<Url> parse_url(std::string_view text) {
  if (text.starts_with(unix_scheme)) return parse_unix(text.substr(unix_scheme.size()));
  const auto scheme = std::ranges::find_if(schemes, [&](std::string_view one) { return text.starts_with(one); });
  if (scheme == schemes.end()) return fail(EINVAL);
  text.remove_prefix(scheme->size());
  const size_t slash = text.find('/');
  Url url;
  OSP_ASSIGN(url.address, parse_host(text.substr(0, slash)));
  url.address.in_clear = *scheme == clear_scheme;
  url.address.is_udp = *scheme == udp_scheme;
  if (slash != std::string_view::npos) {
    OSP_ASSIGN(url.path, clean(unescape(text.substr(slash))));
  }
  return url;
}

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with("unix:") && text.size() > 5) {
    Address address;
    address.unix_path = text.substr(5);
    return address;
  }
  const bool is_udp = text.starts_with("udp:");
  if (!is_udp && !text.starts_with("tcp:")) return fail(EINVAL);
  OSP_ASSIGN(Address address, parse_host(text.substr(4)));
  address.is_udp = is_udp;
  return address;
}

}  // namespace osp::pip
