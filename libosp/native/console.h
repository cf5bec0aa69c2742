#pragma once

#include "libosp/host/native.h"
#include "libosp/native/boot_record.h"
#include "libosp/task/process.h"

namespace osp::native {

// Opens the process's fds 0, 1 and 2, as the record has them: a terminal, or streams.
void open_console(task::Process& process, const BootInfo& info, const BootRecord& record);

}  // namespace osp::native
