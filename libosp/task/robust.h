#pragma once

namespace osp::task {

struct Thread;

// What the kernel does with the robust futexes of a thread (get_robust_list(2)) that ends, or leaves its memory by
// execve(2): those that it holds say that their owner has died, and one waiter of each is woken.
void release_robust_list(Thread& thread);

}  // namespace osp::task
