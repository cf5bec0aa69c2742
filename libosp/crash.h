#pragma once

namespace osp {

// From now on a fault in the core itself leaves a report: what happened, the registers, and the stack of
// every fiber (libunwind), on stderr and in the file that OSP_CRASH names; then the process dies by SIGABRT.
void install_crash_report();

}  // namespace osp
