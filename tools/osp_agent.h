#pragma once

namespace CLI {
class App;
}

namespace osp::tools {

// Adds `agent`, which serves until a signal or the end of the program that it starts; `status` is then that program's.
void add_agent_command(CLI::App& app, int& status);

}  // namespace osp::tools
