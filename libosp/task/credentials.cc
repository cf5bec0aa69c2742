#include "libosp/task/credentials.h"

#include "base/raw_syscall.h"
#include "libosp/host/side.h"
#include "libosp/task/process.h"

namespace osp::task {

Credentials credentials_of(const Process& process) {
  if (host::is_native()) return process.credentials;
  Credentials c;
  raw::syscall(SYS_getresuid, &c.uid, &c.euid, &c.saved_uid);
  raw::syscall(SYS_getresgid, &c.gid, &c.egid, &c.saved_gid);
  return c;
}

}  // namespace osp::task
