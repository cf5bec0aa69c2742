#pragma once

namespace CLI {
class App;
}

namespace osp::tools {

// Adds what looks at running processes: `ps [--json]`, and `ns PID`, `stack PID`, `fd PID`, `maps PID`, `status PID`,
// which print a file of the process's control tree. Callbacks set `status`: 0, or 1 where a process cannot be asked.
void add_process_commands(CLI::App& app, int& status);

}  // namespace osp::tools
