#include "libosp/task/thread_name.h"

#include <algorithm>

#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::task {

void name_thread(Thread& thread, std::string_view name) {
  const size_t room = thread.name.size() - 1;
  thread.name = {};
  name.copy(thread.name.data(), std::min(name.find('\0'), room));
  if (thread.tid == thread.process.pid && !host::is_native()) show_process_name(thread.name.data());
}

}  // namespace osp::task
