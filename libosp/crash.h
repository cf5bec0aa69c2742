#pragma once

namespace osp {

// From now on a fault in the core itself, an abort() of its libraries too, leaves a report on stderr: what happened,
// and the stack of every thread in the core (libunwind), with names if the core's file (`core_path`) can be read.
// Then the process dies by SIGABRT.
void install_crash_report(const char* core_path);

}  // namespace osp
