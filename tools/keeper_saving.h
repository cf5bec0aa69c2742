#pragma once

#include <string>
#include <string_view>

#include "tools/keeper_pages.h"
#include "tools/keeper_process.h"

// Memory trees (#m) on their way into a checkpoint and back; answers to shm::Kind::save, load and loaded. In a job.
namespace osp::keeper {

// The tree as it stands: its contents and an encoded MemSnapshot, each in a memfd that is sent to the process.
// ENODEV: no memory tree. EMFILE, ENOMEM, EIO.
Result<std::string> save_memory(Process& process, Tree& tree, PageCache& pages);

// The same back, into an empty tree. EBUSY: it is not empty; EBADMSG: what was sent makes no sense.
Result<std::string> load_memory(Process& process, Tree& tree, std::string_view request);
Result<std::string> end_load_memory(Tree& tree);

}  // namespace osp::keeper
