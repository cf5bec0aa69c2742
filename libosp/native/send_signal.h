#pragma once

#include <vector>

#include "libosp/linux/call.h"
#include "libosp/native/processes.h"

namespace osp::native {

// As the caller would send it (sigaction(2), si_code).
siginfo_t sent_by(const linux::Call& call, uint64_t signo, int code);

// Whether the program may send `info`, which it has written itself: to others not what the kernel or kill(2) would say
// (rt_sigqueueinfo(2)).
bool may_tell(const linux::Call& call, const Member& to, const siginfo_t& info);

// kill(2) to each of `to` that the caller may send to; signal 0 is a question. ESRCH: there is none. EPERM: to none.
long send_signal(linux::Call& call, const std::vector<Member*>& to, const siginfo_t& info);

}  // namespace osp::native
