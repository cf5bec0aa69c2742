#include "libosp/file/servers.h"

#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/file/proc.h"
#include "namespace/ns_file.h"
#include "pip/url.h"

namespace osp::file {
namespace {

ns::Checked<ns::Attached> attach_device(const ns::DeviceName& name) {
  if (name.device == "U") {
    auto tree = host_tree();
    if (!tree) return ns::trouble(tree.error().code, "the host's root cannot be opened");
    return ns::Attached{std::move(*tree), name.path};
  }
  if (name.device == "m" || name.device == "mem") {
    auto server = keeper::attach("#m." + name.instance);
    if (!server) return std::unexpected(server.error());
    return ns::Attached{std::move(*server), name.path};
  }
  return ns::trouble(ENODEV, "there is no such device", "devices are #U (host), #m (memory) and #p (control)");
}

}  // namespace

Result<std::unique_ptr<pip::HostTree>> host_tree() {
  return pip::HostTree::create("/", {.keep = [](int fd) { return static_cast<int>(keep_fd(fd)); },
                                     .drop = drop_fd,
                                     .follows_unnamed = true,
                                     .link_target = proc_link_target});
}

ns::Checked<ns::Attached> CoreServers::attach(const std::string& name, const std::string&) {
  if (const auto device = ns::parse_device(name)) return attach_device(*device);
  const auto url = pip::parse_url(name);
  if (!url)
    return ns::trouble(EINVAL, "not a URL of a server", "write pip://HOST[:PORT]/PATH or pip+unix:///SOCKET!/PATH");
  auto server = keeper::attach(url->server());
  if (!server) return std::unexpected(server.error());
  return ns::Attached{std::move(*server), url->path};
}

}  // namespace osp::file
