#pragma once

namespace osp::task {

// In the child of a fork, before anything else: gives it its own copies of the core's pages that it will write to
// soon, all at once (MADV_POPULATE_WRITE of madvise(2)) instead of by a fault for each. Without effect where the host
// does not know it (before Linux 5.14). Signal-safe.
void copy_hot_pages();

}  // namespace osp::task
