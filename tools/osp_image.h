#pragma once

namespace CLI {
class App;
}

namespace osp::tools {

// Adds `image show|check [--json] FILE` to `app`. When one of them is given, its callback prints to stdout (what is
// wrong with a file, to stderr) and sets `status`, the exit status: 0, or 1 for an image that was refused or
// is damaged. `status` must outlive the parse.
void add_image_command(CLI::App& app, int& status);

}  // namespace osp::tools
