#pragma once

#include <netdb.h>

#include <memory>

#include "pip/host_walk.h"
#include "pip/url.h"

// Unix and TCP sockets for tools (ordinary libc; not linked into the core). All sockets are non-blocking and
// close-on-exec, TCP ones without Nagle's delay.
namespace osp::pip {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// What a name and a port stand for (getaddrinfo(3)); `type`: SOCK_STREAM, SOCK_DGRAM. Blocks while name servers are
// asked. EHOSTUNREACH.
Result<AddressList> resolve(const Address& address, int type, int flags);
// The port of a bound socket.
uint16_t bound_port(int fd);

// Connects within `timeout_ms`. ECONNREFUSED, ENOENT (unix), ETIMEDOUT, EHOSTUNREACH (also: a name that has no
// address), ENAMETOOLONG.
Result<HostFd> connect_stream(const Address& address, int timeout_ms);

// Listens. A unix socket that nobody answers on is replaced. EADDRINUSE, EACCES, EADDRNOTAVAIL. For tcp with port 0,
// `address.port` is set to the one chosen.
Result<HostFd> listen_stream(Address& address);

// The next connection of a listening socket. EAGAIN: there is none.
Result<HostFd> accept_stream(int listener);

// Whether the other end of a connection is a process of this user, or root's, on this machine: of unix sockets only.
bool is_own_user(int fd);

// Sends of `queue`, from `sent` on, what the socket takes without blocking, and counts it in `sent`; a queue that is
// sent whole is emptied. EPIPE, ECONNRESET and what else ends a connection; a full socket is no error.
Result<void> send_queued(int fd, std::string& queue, size_t& sent);

}  // namespace osp::pip
