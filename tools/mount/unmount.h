#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace osp::fuse {

// One of this process's mounts.
struct MountPoint {
  int id = 0;
  std::string directory;
  std::string type;  // "fuse.osp" is ours
  std::string source;
  uid_t owner = 0;  // of a FUSE mount: who has made it
};

// The mounts of a /proc/PID/mountinfo (proc(5)), in its order: of several on one directory the last is the one that is
// seen.
std::vector<MountPoint> parse_mounts(const std::string& text);

// The one that is seen on `directory` (absolute), if there is one.
std::optional<MountPoint> mount_on(const std::string& directory);

// osp unmount: takes the mount off and waits until its process has ended. Complains on stderr, also where the server
// has not got all that was written; the status to end with. `lazy`: also where it is in use, and without waiting.
int unmount(const std::string& directory, bool lazy);

// Takes the mount `id` off `directory` (absolute), for the process that serves it; that goes on until nothing of the
// mount is used any more. False: it could not, or another mount lies over it; that is logged. Blocks, and the kernel
// may ask the mount meanwhile. (libfuse's own way would close the kernel's fd at once.)
bool detach(const std::string& directory, int id);

}  // namespace osp::fuse
