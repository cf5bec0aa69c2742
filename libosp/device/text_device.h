#pragma once

#include <string>

#include "libosp/device/open.h"

namespace osp::device {

// Makes /dev/NAME, which is read-only; what is read is what `text` gives when the file is opened.
void add_text_device(const std::string& name, std::string (*text)());

// ENXIO: it is none of them.
Result<std::shared_ptr<file::Description>> open_text_device(const Node& node, int flags);

}  // namespace osp::device
