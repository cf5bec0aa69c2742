#pragma once

#include <string>

#include "libosp/command/start_record.h"
#include "tools/unpack/outcome.h"

namespace osp::unpack {

// Unpacks `archive`, a tar of a root or an image, into `root` in the empty folder `into`, which is called `name`. What
// is returned lacks the root.
Outcome<command::StartRecord> unpack_archive(const std::string& archive, int into, const std::string& name);

}  // namespace osp::unpack
