#pragma once

#include <map>
#include <memory>
#include <string>

#include "namespace/mem_server.h"
#include "namespace/ns_apply.h"

namespace osp::native {

// Makes the servers that name space files name: #m memory, an instance for each name. What only a host or a network
// has is refused with what to do instead.
class Servers final : public ns::ServerFactory {
 public:
  // ENODEV: no such device, or not natively; ENETUNREACH: it is behind a network; EINVAL: no name of a server.
  ns::Checked<ns::Attached> attach(const std::string& name, const std::string& options) override;

 private:
  std::map<std::string, std::shared_ptr<ns::MemServer>> memory_;  // by instance
};

}  // namespace osp::native
