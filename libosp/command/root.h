#pragma once

#include <expected>
#include <string>

#include "libosp/command/start_record.h"

// osp-run's --root: what the program finds at /.
namespace osp::command {

struct Root {
  std::string commands;  // of a name space file
  StartRecord start;     // what an image says of its program; "/" is its directory where nothing does
};

// `where`: a directory of the host, a URL or device, or an archive, which `unpacker` makes a folder of: it is executed
// with the environment `envp`, and may take long the first time. Unless `bare`, the host's /proc, /dev, /sys, /tmp and
// names of the network are in the root. The error is one line for a person, or empty if the unpacker has said it.
std::expected<Root, std::string> find_root(const std::string& where, bool bare, const std::string& unpacker,
                                           char* const* envp);

}  // namespace osp::command
