#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace osp::migrate {

using Bytes = std::vector<std::byte>;

inline constexpr uint32_t none = UINT32_MAX;  // an index that leads nowhere

}  // namespace osp::migrate
