#pragma once

#include <vector>

#include "pip/channel.h"

// Answers as a server would give them.
namespace osp::pip {

// Copies what the replies point to. They fit in a group.
Answer make_answer(const std::vector<Message>& replies);
// `packed`: the attributes, or "".
Ropen opened(const Attributes& attributes, std::string_view packed, uint32_t iounit);

}  // namespace osp::pip
