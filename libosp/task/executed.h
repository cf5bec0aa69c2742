#pragma once

namespace osp::task {

// Whether this process has called execve(2) since it was forked: the host does not see it.
void note_execution(bool executed);

// The same of a child, hosted, by a look into its memory. False where that is not to be had: it is no program's of
// ours, or another user's.
bool child_has_executed(int pid);

}  // namespace osp::task
