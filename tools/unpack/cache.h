#pragma once

#include <string>

#include "libosp/command/start_record.h"
#include "tools/unpack/outcome.h"

namespace osp::unpack {

// The root that `archive` holds, unpacked into $XDG_CACHE_HOME/osprey/images/sha256-HASH unless it is there already. It
// is made under another name, so that it is whole or not there; who comes meanwhile waits. Shows its progress.
Outcome<command::StartRecord> find_root(const std::string& archive);

}  // namespace osp::unpack
