#pragma once

#include <expected>
#include <string>

#include "tools/unpack/start_record.h"

// osp-run's --root: what the program finds at /.
namespace osp::tools {

struct Root {
  std::string commands;       // of a name space file
  unpack::StartRecord start;  // what an image says of its program; "/" is its directory where nothing does
};

// `where`: a directory of the host, a URL or device, or an archive, which `unpacker` makes a folder of: it is executed,
// and may take long the first time. Unless `bare`, the host's /proc, /dev, /sys, /tmp and names of the network are in
// the root. The error is one line for a person, or empty if the unpacker has said it.
std::expected<Root, std::string> find_root(const std::string& where, bool bare, const std::string& unpacker);

}  // namespace osp::tools
