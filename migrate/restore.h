#pragma once

#include <cstdint>

#include "libosp/host/boot.h"

namespace osp::migrate {

// What to do with a host file that the program has open and that is not as it was (osp restore --files).
enum class ChangedFiles : uint32_t {
  keep,      // open it as it is now; one that was mapped privately refuses the restore all the same
  refuse,    // refuse the restore
  truncate,  // cut off what was written behind its end of then
};

// Becomes the process in boot.image: reads and checks the whole image and what it asks of this host first, and says
// what is wrong with it (section and reason; exit status 125) before anything is created. What the door had
// mapped is unmapped, fds but 0, 1 and 2 are closed; those are the program's where the image says `inherit`. The
// program sees its old pid, tids and clocks.
[[noreturn]] void restore_program(const host::BootBlock& boot);

}  // namespace osp::migrate
