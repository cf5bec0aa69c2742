#pragma once

#include <string>

#include "pip/host_walk.h"
#include "tools/osp_boot_options.h"
#include "tools/osp_boot_program.h"

namespace osp::tools {

// The boot archive: the core, the record, the root.
struct BootArchive {
  pip::HostFd fd;         // in memory, or of the file that --print-command keeps
  std::string path;       // of that file; else how QEMU opens the fd
  uint64_t size = 0;      // bytes
  uint64_t unpacked = 0;  // what the root takes besides, when all of it has been read
};

// Where this build's files lie: in ../lib as seen from this executable.
std::string library_folder();

// Packs it all; what the program is and how it begins comes from `options` and `envp`.
std::expected<BootArchive, ProgramError> pack_boot_archive(const BootOptions& options, const char* const* envp);

}  // namespace osp::tools
