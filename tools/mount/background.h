#pragma once

#include <expected>
#include <functional>
#include <string>

namespace osp::fuse {

// Where the caller has closed standard streams, /dev/null takes their place, so that nothing else gets their numbers.
void have_streams();

// Goes on as a process of its own that nobody waits for. In the caller it returns once `start` is done there: the
// status to end with, after it has printed what `start` complained of. In the new process it does not return: after
// `start` comes `serve`, whose status ends it, with /dev/null for standard streams. If the caller ends before, it gets
// SIGTERM.
int in_background(const std::function<std::expected<void, std::string>()>& start, const std::function<int()>& serve);

}  // namespace osp::fuse
