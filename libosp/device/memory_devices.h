#pragma once

#include "libosp/device/open.h"

namespace osp::device {

// null(4), zero, full(4), random(4) and urandom. ENXIO: it is none of them.
Result<std::shared_ptr<file::Description>> open_memory_device(const Node& node, int flags);

}  // namespace osp::device
