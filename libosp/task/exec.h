#pragma once

#include <fcntl.h>

#include <string>
#include <vector>

#include "libosp/task/process.h"

namespace osp::task {

// execve(2) in place: other threads end, the program's memory goes, the new program is loaded from the name
// space. Returns minus an errno while the old program can still go on; call_was_replaced when the registers
// are the new program's. Flags are execveat(2)'s.
long execute(Thread& thread, int directory_fd, const std::string& path, std::vector<std::string> argv,
             std::vector<std::string> envp, int flags);

// Maps a copy of our vDSO (vdso/vdso.h) for the program; its address. Errors of mmap(2).
Result<uintptr_t> map_vdso(Process& process);

// Why the last execute() failed, for a person: "is for AArch64, …"; empty where the errno says all.
const std::string& last_refusal();

}  // namespace osp::task
