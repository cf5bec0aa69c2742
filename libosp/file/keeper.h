#pragma once

#include <memory>
#include <string>

#include "namespace/trouble.h"
#include "pip/server.h"

// The core's side of the keeper (the process that holds an environment's sessions and page cache; 10-architecture).
namespace osp::keeper {

// The server at `url` ("pip://host:port", "pip+unix:///socket", "#m.NAME"), through the environment's keeper,
// which is started if there is none. ECONNREFUSED, EHOSTUNREACH, ENOENT…, with what to do.
ns::Checked<std::shared_ptr<pip::Server>> attach(const std::string& url);

// In a forked child: a channel of its own, before anything is asked of the keeper. Open files stay open.
void after_fork();

}  // namespace osp::keeper
