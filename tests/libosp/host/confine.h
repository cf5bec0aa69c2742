#pragma once

// Linux only. From here on a system call outside `osp::host::calls` ends the process with SIGSYS (seccomp(2)). False:
// the kernel would not. Linux only.
bool confine_to_interface();
