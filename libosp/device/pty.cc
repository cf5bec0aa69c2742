#include "libosp/device/pty.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "libosp/device/device_tree.h"
#include "libosp/device/support.h"
#include "libosp/device/terminals.h"
#include "libosp/linux/call.h"

namespace osp::device {
namespace {

constexpr unsigned first_major = 136, most = 4096;
constexpr size_t chunk = 4096;

uint64_t device_of(unsigned number) { return makedev(first_major, number); }

}  // namespace

Pty::Pty(unsigned n) : Terminal(device_of(n), fmt::format("/dev/pts/{}", n)), number(n) {}

PtyMaster::PtyMaster(std::shared_ptr<Pty> pty, int open_flags) : pty_(std::move(pty)) {
  flags = open_flags;
  set_path("/dev/ptmx");
  add_terminal(pty_);
  add_node(fmt::format("pts/{}", pty_->number), S_IFCHR | 0620, pty_->device);
}

PtyMaster::~PtyMaster() {
  remove_node(fmt::format("pts/{}", pty_->number));
  drop_terminal(pty_->device);
  pty_->hang_up();
}

Result<pip::Attributes> PtyMaster::stat() {
  pip::Attributes a = pty_->attributes;
  a.mode = S_IFCHR | 0666;
  a.device = makedev(5, 2);
  return a;
}

long PtyMaster::read(task::Thread& thread, void* to, size_t size) {
  ByteRing& output = pty_->discipline.output();
  while (output.empty()) {
    if (is_deserted()) return -EIO;
    if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
    if (const long stop = await(thread, pty_->master_changed); stop != 0) return stop;
  }
  const long got = take_user(output, to, size);
  if (got > 0) pty_->changed.notify();
  return got;
}

long PtyMaster::write(task::Thread& thread, const void* from, size_t size) {
  std::byte bytes[chunk];
  size_t done = 0;
  while (done < size) {
    const size_t part = std::min(size - done, chunk);
    if (osp_user_copy(bytes, static_cast<const std::byte*>(from) + done, part) != 0)
      return done > 0 ? static_cast<long>(done) : -EFAULT;
    const size_t taken = pty_->receive({bytes, part});
    done += taken;
    if (taken > 0) continue;
    if ((flags & O_NONBLOCK) != 0) return done > 0 ? static_cast<long>(done) : -EAGAIN;
    if (const long stop = await(thread, pty_->master_changed); stop != 0)
      return done > 0 ? static_cast<long>(done) : stop;
  }
  return static_cast<long>(done);
}

short PtyMaster::ready() const {
  int ready = POLLOUT;
  if (!pty_->discipline.output().empty()) ready |= POLLIN;
  if (is_deserted()) ready |= POLLHUP;
  return static_cast<short>(ready);
}

// TIOCGPTPEER: the other side, without its name.
long PtyMaster::open_peer(task::Thread& thread, int open_flags) {
  auto file = open_terminal(thread, pty_, open_flags & ~O_CLOEXEC);
  if (!file) return -file.error().code;
  return thread.process.files->install(std::move(*file), (open_flags & O_CLOEXEC) != 0);
}

long PtyMaster::control(task::Thread& thread, uint64_t request, uint64_t argument) {
  int value = 0;
  switch (request) {
    case TIOCGPTN:
      return linux::put(argument, pty_->number) ? 0 : -EFAULT;
    case TIOCSPTLCK:
      if (!linux::get(argument, value)) return -EFAULT;
      pty_->locked = value != 0;
      return 0;
    case TIOCGPTLCK:
      return linux::put(argument, pty_->locked ? 1 : 0) ? 0 : -EFAULT;
    case TIOCGPTPEER:
      return open_peer(thread, static_cast<int>(argument));
    case FIONREAD:
      return linux::put(argument, static_cast<int>(pty_->discipline.output().size())) ? 0 : -EFAULT;
    case TIOCSIG:
      if (argument != SIGINT && argument != SIGQUIT && argument != SIGTSTP) return -EINVAL;
      pty_->raise(static_cast<int>(argument));
      return 0;
    default:
      return terminal_control(thread, *pty_, request, argument, true);
  }
}

Result<std::shared_ptr<file::Description>> open_ptmx(int flags) {
  unsigned number = 0;
  while (number < most && find_terminal(device_of(number)) != nullptr) ++number;
  if (number == most) return fail(ENOSPC);
  return std::make_shared<PtyMaster>(std::make_shared<Pty>(number), flags);
}

}  // namespace osp::device
