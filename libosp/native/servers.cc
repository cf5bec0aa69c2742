#include "libosp/native/servers.h"

#include "libosp/memory/file_pages.h"
#include "namespace/ns_file.h"
#include "pip/url.h"

namespace osp::native {

ns::Checked<ns::Attached> Servers::attach(const std::string& name, const std::string&) {
  if (const auto device = ns::parse_device(name)) {
    if (device->device == "U")
      return ns::trouble(ENODEV, "no host's files are below a machine",
                         "pack them (osp-boot --add PATH, or --root DIR) and use their paths");
    if (device->device != "m" && device->device != "mem")
      return ns::trouble(ENODEV, "there is no such device", "natively #m (memory) is all that can be mounted");
    auto& server = memory_[device->instance];
    if (server == nullptr)
      server = std::make_shared<ns::MemServer>(
          ns::MemOptions{.name = "#m." + device->instance, .pages = memory::make_file_pages});
    return ns::Attached{server, device->path};
  }
  if (!pip::parse_url(name)) return ns::trouble(EINVAL, "not a name of a server", "natively there is #m.NAME (memory)");
  return ns::trouble(ENETUNREACH, "the machine has no network",
                     "pack the tree (pip cp, then osp-boot --add DIR or --root DIR), or use osp-run");
}

}  // namespace osp::native
