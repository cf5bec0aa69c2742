#include "libosp/file/signal_file.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "base/raw_syscall.h"
#include "libosp/host/side.h"
#include "libosp/task/host_timers.h"
#include "libosp/task/process.h"

namespace osp::file {
namespace {

signalfd_siginfo describe(const siginfo_t& info) {
  signalfd_siginfo out = {};
  out.ssi_signo = static_cast<uint32_t>(info.si_signo);
  out.ssi_errno = info.si_errno;
  out.ssi_code = info.si_code;
  out.ssi_pid = static_cast<uint32_t>(info.si_pid);
  out.ssi_uid = info.si_uid;
  if (info.si_signo == SIGCHLD) {
    out.ssi_status = info.si_status;
    out.ssi_utime = static_cast<uint64_t>(info.si_utime);
    out.ssi_stime = static_cast<uint64_t>(info.si_stime);
  } else {
    out.ssi_int = info.si_value.sival_int;
    out.ssi_ptr = reinterpret_cast<uint64_t>(info.si_value.sival_ptr);
  }
  return out;
}

}  // namespace

SignalFile::~SignalFile() { drop_fd(event_fd_); }

void SignalFile::set_readable(bool readable) {
  if (readable == readable_ && event_fd_ >= 0) return;
  readable_ = readable;
  if (event_fd_ < 0) return changed_.notify();
  uint64_t value = 1;
  if (readable) {
    raw::write(event_fd_, &value, sizeof value);
  } else {
    raw::read(event_fd_, &value, sizeof value);
  }
}

void SignalFile::arrived(int signo) {
  if ((mask_ & signal::bit(signo)) != 0) set_readable(true);
}

bool SignalFile::has_pending() const {
  const task::Process& p = task::process();
  signal::Mask pending = p.signals.pending.set();
  for (const auto& thread : p.threads) pending |= thread->signals.pending.set();
  return (pending & mask_) != 0;
}

void SignalFile::taken() { set_readable(has_pending()); }

task::Wake SignalFile::wait(task::Thread& thread) {
  if (event_fd_ < 0) return task::wait_on(thread, changed_);
  pollfd wait = {event_fd_, POLLIN, 0};
  return thread.process.scheduler.wait(thread, {&wait, 1}, 0);
}

void SignalFile::set_mask(signal::Mask mask) {
  mask_ = mask & ~signal::unblockable;
  taken();
}

long SignalFile::read(task::Thread& thread, void* to, size_t size) {
  auto* out = static_cast<signalfd_siginfo*>(to);
  size_t count = 0;
  if (size < sizeof *out) return -EINVAL;
  for (;;) {
    thread.process.collect_signals();
    while ((count + 1) * sizeof *out <= size) {
      auto info = thread.signals.pending.take(mask_);
      if (!info) info = thread.process.signals.pending.take(mask_);
      if (!info) break;
      task::host_timers().tell(*info);
      const signalfd_siginfo described = describe(*info);
      if (osp_user_copy(out + count, &described, sizeof described) != 0) return -EFAULT;
      ++count;
    }
    taken();
    if (count > 0) return static_cast<long>(count * sizeof *out);
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (thread.process.signal_waits(thread)) return task::restart_sys;
    wait(thread);
  }
}

Result<pip::Attributes> SignalFile::stat() {
  pip::Attributes a;
  a.mode = 0600;
  return a;
}

long make_signal_file(task::Thread& thread, int fd, signal::Mask mask, int flags) {
  Files& files = *thread.process.files;
  if (fd != -1) {
    if (raw::syscall(SYS_fcntl, fd, F_GETFD) < 0 && files.find(fd) == nullptr) return -EBADF;
    auto* existing = dynamic_cast<SignalFile*>(files.find(fd));
    if (existing == nullptr) return -EINVAL;
    existing->set_mask(mask);
    return fd;
  }
  if (host::is_native()) {
    auto own = std::make_shared<SignalFile>(mask & ~signal::unblockable, -1);
    own->flags = O_RDWR | (flags & SFD_NONBLOCK);
    return files.install(std::move(own), (flags & SFD_CLOEXEC) != 0);
  }
  const long made = raw::syscall(SYS_eventfd2, 0, EFD_NONBLOCK | ((flags & SFD_CLOEXEC) != 0 ? EFD_CLOEXEC : 0));
  if (made < 0) return made;
  const long kept = keep_fd(static_cast<int>(raw::syscall(SYS_dup, made)));
  if (kept < 0) return kept;
  auto file = std::make_shared<SignalFile>(mask & ~signal::unblockable, static_cast<int>(kept));
  file->flags = O_RDWR | (flags & SFD_NONBLOCK);
  files.adopt(static_cast<int>(made), file);
  file->taken();
  return made;
}

}  // namespace osp::file
