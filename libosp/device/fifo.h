#pragma once

#include "libosp/device/open.h"

namespace osp::device {

// open_node() of a fifo(7). All who open the same one meet in one pipe.
long open_fifo(task::Thread& thread, const Node& node, int flags, std::shared_ptr<file::Description>& opened);

}  // namespace osp::device
