#pragma once

#include <memory>
#include <string>

#include "pip/server.h"

namespace osp::device {

// What /dev is natively: a memory file system with a node for each device, pts/ and shm/. Programs may add to it.
[[nodiscard]] std::shared_ptr<pip::Server> device_tree();

// In it, by name below /dev. A name that is there already stays.
void add_node(const std::string& name, uint32_t mode, uint64_t device);
void remove_node(const std::string& name);

}  // namespace osp::device
