#pragma once

#include "namespace/namespace.h"
#include "namespace/ns_apply.h"

namespace osp::file {

// Makes the servers that name space files name: #U the host's files, #p the process's control tree, #m
// memory, and pip:// URLs; the last two live in the environment's keeper, which starts when first needed.
class CoreServers final : public ns::ServerFactory {
 public:
  explicit CoreServers(std::shared_ptr<ns::Namespace> space) : space_(std::move(space)) {}
  ns::Checked<ns::Attached> attach(const std::string& name, const std::string& options) override;

 private:
  std::shared_ptr<ns::Namespace> space_;
};

}  // namespace osp::file
