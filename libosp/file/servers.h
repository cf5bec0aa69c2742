#pragma once

#include "namespace/namespace.h"
#include "namespace/ns_apply.h"
#include "pip/host_tree.h"

namespace osp::file {

// All files of the host as the program is to see them: links of /proc that lead to its own files are the core's.
Result<std::unique_ptr<pip::HostTree>> host_tree();

// Makes the servers that name space files name: #U the host's files, #p the process's control tree, #m
// memory, and pip:// URLs; the last two live in the environment's keeper, which starts when first needed.
class CoreServers final : public ns::ServerFactory {
 public:
  ns::Checked<ns::Attached> attach(const std::string& name, const std::string& options) override;
};

}  // namespace osp::file
