#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>

namespace osp::control {

struct SocketName {
  sockaddr_un address = {};
  socklen_t size = 0;
};

// The abstract unix socket on which a tool awaits a process: nobody can guess the nonce, and nothing is left behind.
inline SocketName socket_name(uint64_t nonce) {
  SocketName name;
  name.address.sun_family = AF_UNIX;
  char* at = name.address.sun_path;
  *at++ = '\0';
  for (const char c : {'o', 's', 'p', '-', 'c', 'o', 'n', 't', 'r', 'o', 'l', '.'}) *at++ = c;
  for (int shift = 60; shift >= 0; shift -= 4) *at++ = "0123456789abcdef"[(nonce >> shift) & 15];
  name.size = static_cast<socklen_t>(at - reinterpret_cast<char*>(&name.address));
  return name;
}

}  // namespace osp::control
