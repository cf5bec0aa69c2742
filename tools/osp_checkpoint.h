#pragma once

namespace CLI {
class App;
}

namespace osp::tools {

// Adds `checkpoint [--leave-running] [--force] PID -o FILE`. What of the process will come back otherwise than it was
// is named on stderr first. `status`: 0, or 1 if there is no image, in which case the process goes on.
void add_checkpoint_command(CLI::App& app, int& status);

}  // namespace osp::tools
