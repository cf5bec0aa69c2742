#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libosp/native/processes.h"

// What the paths of /proc are natively (proc(5)), made when they are asked for.
namespace osp::native::proc {

// What a path of the tree is.
struct Node {
  uint32_t mode = S_IFREG | 0444;
  std::string contents{};            // the text, or the link's target
  std::vector<std::string> names{};  // of a directory
  uint32_t kind_of_names = 0;        // S_IFMT of each; 0: not told
};

Node directory(std::vector<std::string> names, uint32_t kind = 0);
Node link(std::string target);

// A number that is a whole name; -1: it is none.
int number_of(std::string_view text);
int64_t real_time_ns();

// What is the machine's. The names in a directory of it; "" is the root.
std::vector<std::string> globals_in(std::string_view folder);
std::optional<Node> global_node(std::string_view path);

// `rest` is what follows /proc/PID/; "" is that directory.
std::optional<Node> process_node(const Member& member, std::string_view rest);

}  // namespace osp::native::proc
