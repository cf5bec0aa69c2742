#pragma once

namespace CLI {
class App;
}

namespace osp::tools {

// Adds `key make|show|trust|revoke|accept|inspect` and `delegate`. Callbacks set `status`: 0, or 1 where it failed.
void add_key_commands(CLI::App& app, int& status);

}  // namespace osp::tools
