#pragma once

namespace osp::task {

// Notes that this process has called execve(2), which the host does not see.
void note_execution();

// Whether a child has called execve(2) since it was forked, hosted, by a look into its memory. False where that is not
// to be had: it is no program's of ours, or another user's.
bool child_has_executed(int pid);

}  // namespace osp::task
