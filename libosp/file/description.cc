// What an open file does that its kind has no call for (files.h).
#include "libosp/file/files.h"

namespace osp::file {

Description::~Description() {
  if (has_locks) locks().description_closed(*this);
}

FileIdentity Description::identity() { return {"", reinterpret_cast<uint64_t>(this)}; }
long Description::pread(task::Thread&, void*, size_t, int64_t) { return -ESPIPE; }
long Description::pwrite(task::Thread&, const void*, size_t, int64_t) { return -ESPIPE; }
long Description::seek(int64_t, int) { return -ESPIPE; }
long Description::list(task::Thread&, void*, size_t) { return -ENOTDIR; }
long Description::truncate(uint64_t) { return -EINVAL; }
long Description::control(task::Thread&, uint64_t, uint64_t) { return -ENOTTY; }
Result<void> Description::change(const pip::AttributeChange&) { return fail(EPERM); }
Result<pip::PageRange> Description::map(uint64_t, uint64_t, bool) { return fail(ENODEV); }

}  // namespace osp::file
