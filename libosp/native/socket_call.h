#pragma once

#include <sys/uio.h>

#include "libosp/device/unix_socket.h"
#include "libosp/linux/call.h"

// What the calls on sockets have in common.
namespace osp::native {

using linux::Call;

// The socket of the call's first argument. EBADF ENOTSOCK.
Result<std::shared_ptr<device::UnixSocket>> socket_of(const Call& call);

// An address of `size` bytes in the program's memory. EFAULT EINVAL EAFNOSUPPORT.
Result<device::UnixAddress> get_address(uint64_t address, uint64_t size);
// To the program, with its size, as much as there is room for; nothing where `address` is 0. 0, EFAULT or EINVAL.
long put_address(uint64_t address, uint64_t size_address, const device::UnixAddress& name);

// The socket that has a name. ECONNREFUSED, EACCES, and what resolving a path gives.
Result<std::shared_ptr<device::UnixSocket>> find_socket(const Call& call, const device::UnixAddress& name, int type);

// OSP_ASSIGN(declaration, expression) in a function that returns minus an errno.
#define OSP_ASSIGN_OR_ERRNO(declaration, ...) \
  OSP_ASSIGN_OR_ERRNO_(declaration, OSP_CONCAT(osp_assign_, __LINE__), __VA_ARGS__)
#define OSP_ASSIGN_OR_ERRNO_(declaration, temporary, ...) \
  auto temporary = (__VA_ARGS__);                         \
  if (!temporary) return -temporary.error().code;         \
  declaration = std::move(*temporary)

// The caller, as the other side is told.
ucred caller(const Call& call);

}  // namespace osp::native
