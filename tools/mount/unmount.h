#pragma once

#include <string>
#include <vector>

namespace osp::fuse {

// One of this process's mounts.
struct MountPoint {
  std::string directory;
  std::string type;  // "fuse.osp" is ours
  std::string source;
};

// The mounts of a /proc/PID/mountinfo (proc(5)), in its order: of several on one directory the last is the one that is
// seen.
std::vector<MountPoint> parse_mounts(const std::string& text);

// osp unmount: takes the mount off and waits until its process has ended, and so the server has all that was written.
// `lazy`: also where it is in use, and without waiting. Complains on stderr; the status to end with.
int unmount(const std::string& directory, bool lazy);

// Takes the mount on `directory` (absolute) off it, for the process that serves it; that goes on until nothing of the
// mount is used any more. Blocks, and the kernel may ask the mount meanwhile. (libfuse's own way would close the
// kernel's fd at once.)
void detach(const std::string& directory);

}  // namespace osp::fuse
