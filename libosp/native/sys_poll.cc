// poll(2) and select(2) natively: every fd is the core's.
#include "libosp/file/files.h"
#include "libosp/linux/poll.h"
#include "libosp/native/calls.h"

namespace osp::native {
namespace {

using Files = std::vector<std::shared_ptr<file::Description>>;

// With the old names of what holds (poll(2), _XOPEN_SOURCE).
short with_bands(int ready) {
  if ((ready & POLLIN) != 0) ready |= POLLRDNORM;
  if ((ready & POLLOUT) != 0) ready |= POLLWRNORM | POLLWRBAND;
  return static_cast<short>(ready);
}

short look(const file::Description* file, short events) {
  if (file == nullptr || file->is_name_only()) return POLLNVAL;
  return static_cast<short>(with_bands(file->ready()) & (events | POLLERR | POLLHUP));
}

long look_at_all(const Call& c, std::vector<pollfd>& fds) {
  long ready = 0;
  for (pollfd& p : fds) {
    p.revents = p.fd < 0 ? short{0} : look(c.process.files->find(p.fd), p.events);
    ready += p.revents != 0 ? 1 : 0;
  }
  return ready;
}

// Kept open while they are waited for.
Files open_files(const Call& c, const std::vector<pollfd>& fds) {
  Files files;
  for (const pollfd& p : fds)
    if (auto file = c.process.files->share(p.fd)) files.push_back(std::move(file));
  return files;
}

long poll_until(Call& c, std::vector<pollfd>& fds, uint64_t deadline) {
  Files files;
  std::vector<task::WaitQueue*> queues;
  for (;;) {
    const long ready = look_at_all(c, fds);
    if (ready != 0) return ready;
    if (linux::over(deadline)) return 0;
    if (queues.empty()) {
      files = open_files(c, fds);
      for (const auto& file : files) queues.push_back(file->changes());
    }
    if (task::wait_on(c.thread, queues, deadline) == task::Wake::signal) {
      const long late = look_at_all(c, fds);
      return late != 0 ? late : static_cast<long>(task::restart_block);
    }
  }
}

}  // namespace

long sys_poll(Call& c) { return linux::poll_by(c, poll_until); }
long sys_ppoll(Call& c) { return linux::ppoll_by(c, poll_until); }
long sys_select(Call& c) { return linux::select_by(c, poll_until); }
long sys_pselect6(Call& c) { return linux::pselect6_by(c, poll_until); }

}  // namespace osp::native
