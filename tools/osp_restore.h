#pragma once

namespace CLI {
class App;
}

namespace osp::tools {

// Adds `restore [--files keep|refuse|truncate] FILE`, which becomes the process of the image: it returns only
// where the core cannot be started, with `status` 125.
void add_restore_command(CLI::App& app, int& status);

}  // namespace osp::tools
