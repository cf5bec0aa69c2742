#pragma once

#include <sys/sysmacros.h>

#include <memory>

#include "libosp/file/files.h"

namespace osp::device {

// st_rdev, by Linux's numbers (Documentation/admin-guide/devices.txt).
inline const uint64_t null_device = makedev(1, 3), zero_device = makedev(1, 5), full_device = makedev(1, 7),
                      random_device = makedev(1, 8), urandom_device = makedev(1, 9), tty_device = makedev(5, 0),
                      console_device = makedev(5, 1), ptmx_device = makedev(5, 2);

// A file of a server that stands for what is not the server's: a device, a fifo, a socket.
struct Node {
  const void* server;  // that has it: with attributes.id, which one it is
  pip::Attributes attributes;
  std::string path;  // in the name space
};

// open(2) of such a file, permissions having been checked. A fifo waits for its other end, as fifo(7) says. 0 and the
// file, a Restart code, or minus an errno: ENXIO: there is no such device, or it is a socket, or nobody reads the fifo.
long open_node(task::Thread& thread, const Node& node, int flags, std::shared_ptr<file::Description>& opened);

}  // namespace osp::device
