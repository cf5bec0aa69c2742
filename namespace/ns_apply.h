#pragma once

#include <memory>
#include <span>
#include <string>

#include "namespace/ns_file.h"

namespace osp::ns {

// A server, and the path on it that a name in a command means.
struct Attached {
  std::shared_ptr<pip::Server> server;
  std::string path;
};

// Makes servers for names: devices (#m, #U/etc, #p), pip://… URLs, /srv/name. Names are as Member::source()
// prints them too: the server's name() and the path on it.
class ServerFactory {
 public:
  virtual ~ServerFactory() = default;
  // `options` is the mount command's -o without "ro". Blocks (it may connect). The reason need not say
  // the name.
  virtual Checked<Attached> attach(const std::string& name, const std::string& options) = 0;
};

// Does the commands in order, on `space`; relative paths start from `cwd` (normal) below `root`. Stops
// at the first that fails, with its position; those before it stay done.
NsResult<void> apply(std::span<const Command> commands, Namespace& space, ServerFactory& factory,
                     std::string_view cwd = "/", std::string_view root = "/");

}  // namespace osp::ns
