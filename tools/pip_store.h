#pragma once

#include <CLI/CLI.hpp>

namespace osp::piptool {

// `pip store …`: what is done with a store while no pipd serves it. The status goes to `status`, which must outlive
// the parsing.
void add_store_commands(CLI::App& app, int& status);

}  // namespace osp::piptool
