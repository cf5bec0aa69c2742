#pragma once

#include "libosp/linux/call.h"

// The calls of a process that traces others (calls.h).
namespace osp::linux {

long sys_ptrace(Call& call);
long sys_process_memory(Call& call);  // process_vm_readv(2), process_vm_writev(2)

// wait4(2) and waitid(2) of a process that traces others: what its tracees report stands beside its children.
long wait4_as_tracer(Call& call);
long waitid_as_tracer(Call& call);

}  // namespace osp::linux
