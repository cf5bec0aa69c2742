#pragma once

namespace CLI {
class App;
}

namespace osp::fuse {

// Adds `mount` and `unmount`. Callbacks set `status`: 0, or 1 where it failed.
void add_mount_commands(CLI::App& app, int& status);

}  // namespace osp::fuse
