#pragma once

#include <string_view>

#include "libosp/task/thread.h"

namespace osp::task {

// prctl(2), PR_SET_NAME: the first 15 bytes, up to a NUL. The process's name is its first thread's.
void name_thread(Thread& thread, std::string_view name);

}  // namespace osp::task
