// Processes by fd: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
#include <fcntl.h>

#include "libosp/device/support.h"
#include "libosp/linux/calls.h"
#include "libosp/native/calls.h"
#include "libosp/native/process_file.h"
#include "libosp/native/send_signal.h"

namespace osp::native {

using linux::get;

ProcessFile::ProcessFile(const Member& member, int open_flags)
    : pid_(member.pid), ending_(member.ending), attributes_(device::attributes_of_new(0600)) {
  flags = open_flags;
}

Member* ProcessFile::find(Processes& among) const {
  Member* member = among.find(pid_);
  return member != nullptr && member->ending == ending_ ? member : nullptr;
}

namespace {

constexpr uint64_t nonblocking = O_NONBLOCK;  // PIDFD_NONBLOCK

std::shared_ptr<ProcessFile> process_file(Call& c) {
  return std::dynamic_pointer_cast<ProcessFile>(c.process.files->share(static_cast<int>(c.a)));
}

}  // namespace

long sys_pidfd_open(Call& c) {
  const auto pid = static_cast<int>(c.a);
  if (pid <= 0 || (c.b & ~uint64_t{nonblocking}) != 0) return -EINVAL;
  const Member* member = Processes::of(c.process).find(pid);
  if (member == nullptr) return -ESRCH;
  return c.process.files->install(std::make_shared<ProcessFile>(*member, O_RDWR | static_cast<int>(c.b)), true);
}

long sys_pidfd_send_signal(Call& c) {
  siginfo_t info = {};
  const auto file = process_file(c);
  if (file == nullptr || c.d != 0) return c.d != 0 ? -EINVAL : -EBADF;
  if (c.b > static_cast<uint64_t>(signal::last_signal)) return -EINVAL;
  Member* member = file->find(Processes::of(c.process));
  if (member == nullptr) return -ESRCH;
  if (c.c == 0) return send_signal(c, {member}, sent_by(c, c.b, SI_USER));
  if (!get(c.c, info)) return -EFAULT;
  if (static_cast<uint64_t>(info.si_signo) != c.b) return -EINVAL;
  if (!may_tell(c, *member, info)) return -EPERM;
  return send_signal(c, {member}, info);
}

long sys_pidfd_getfd(Call& c) {
  const auto file = process_file(c);
  if (file == nullptr || c.c != 0) return c.c != 0 ? -EINVAL : -EBADF;
  const Member* member = file->find(Processes::of(c.process));
  if (member == nullptr || member->is_zombie()) return -ESRCH;
  const task::Credentials &from = c.process.credentials, &to = member->process->credentials;
  if (from.euid != 0 && (from.uid != to.uid || from.uid != to.euid || from.uid != to.saved_uid)) return -EPERM;
  auto theirs = member->process->files->share(static_cast<int>(c.b));
  return theirs == nullptr ? -EBADF : c.process.files->install(std::move(theirs), true);
}

}  // namespace osp::native
