#pragma once

#include <string>

#include "libosp/file/served_file.h"

namespace osp::task {
class Process;
}

namespace osp::file {

// What /proc/PID/maps shows of the program (proc(5)); the core's own memory is left out.
std::string maps_text(const task::Process& process);

// /proc/self/maps when it is open: answers ioctl(2)'s PROCMAP_QUERY (include/uapi/linux/fs.h) of the memory as it is
// now.
class MapsFile final : public ServedFile {
 public:
  using ServedFile::ServedFile;
  long control(task::Thread& thread, uint64_t request, uint64_t argument) override;
};

}  // namespace osp::file
