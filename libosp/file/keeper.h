#pragma once

#include <memory>
#include <string>

#include "libosp/host/boot.h"
#include "namespace/trouble.h"
#include "pip/server.h"

// The core's side of the keeper (the process that holds an environment's sessions and page cache; 10-architecture).
namespace osp::keeper {

// Remembers where the keeper is and what it is started with; before the program runs.
void prepare(const host::BootBlock& boot);

// The server at `url` ("pip://host:port", "pip+unix:///socket", "#m.NAME"), through the environment's keeper,
// which is started if there is none. ECONNREFUSED, EHOSTUNREACH, ENOENT…, with what to do.
ns::Checked<std::shared_ptr<pip::Server>> attach(const std::string& url);

// Around a fork, in the parent: gets a channel for the child; and lets go of it, whether or not there is a child.
void before_fork();
void after_fork_in_parent();
// In a forked child: takes the channel, before anything is asked of the keeper. Open files stay open.
void after_fork();

// Sends what was written through shared mappings to the servers (msync(2)). EIO.
Result<void> sync();

// Before the process ends: what it wrote through shared mappings is sent, and the files are closed.
void end();

}  // namespace osp::keeper
