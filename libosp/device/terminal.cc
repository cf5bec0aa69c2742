#include "libosp/device/terminal.h"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "libosp/device/job_control.h"
#include "libosp/device/support.h"
#include "libosp/linux/call.h"

namespace osp::device {
namespace {

constexpr size_t chunk = 4096;
constexpr uint64_t tenth_ns = 100'000'000;

JobControl* the_job_control = nullptr;

bool ignores(const task::Thread& thread, int signo) {
  return (thread.signals.mask & signal::bit(signo)) != 0 ||
         thread.process.signals.actions[static_cast<size_t>(signo)].handler == 1;
}

}  // namespace

void set_job_control(JobControl* control) { the_job_control = control; }
JobControl* job_control() { return the_job_control; }

// As __tty_check_change() of Linux.
long check_foreground(task::Thread& thread, const Terminal& terminal, int signo) {
  JobControl* jobs = job_control();
  if (jobs == nullptr || terminal.session == 0 || jobs->session_of(thread.process) != terminal.session) return 0;
  const int group = jobs->group_of(thread.process);
  if (terminal.foreground == 0 || group == terminal.foreground) return 0;
  if (ignores(thread, signo)) return signo == SIGTTIN ? -EIO : 0;
  if (jobs->is_orphaned(group)) return -EIO;
  jobs->signal_group(group, signo);
  return task::restart_sys;
}

Terminal::Terminal(uint64_t device_number, std::string where)
    : device(device_number), path(std::move(where)), attributes(attributes_of_new(S_IFCHR | 0620, device_number)) {}

size_t Terminal::receive(std::span<const std::byte> bytes) {
  const size_t taken = discipline.receive(bytes);
  send();
  changed.notify();
  return taken;
}

void Terminal::raise(int signo) {
  if (job_control() != nullptr && foreground != 0) job_control()->signal_group(foreground, signo);
}

void Terminal::resize(const winsize& wanted) {
  const bool same = wanted.ws_row == size.ws_row && wanted.ws_col == size.ws_col &&
                    wanted.ws_xpixel == size.ws_xpixel && wanted.ws_ypixel == size.ws_ypixel;
  if (same) return;
  size = wanted;
  raise(SIGWINCH);
}

void Terminal::leave_session(bool goes_on) {
  raise(SIGHUP);
  if (goes_on) raise(SIGCONT);
  session = foreground = 0;
}

void Terminal::hang_up() {
  ++hang_ups;
  const int leader = session;
  session = foreground = 0;
  discipline.flush_input();
  discipline.set(LineSettings());
  discipline.set_stopped(false);
  if (job_control() != nullptr && leader != 0) {
    job_control()->signal_process(leader, SIGHUP);
    job_control()->signal_process(leader, SIGCONT);
  }
  changed.notify();
}

TerminalFile::TerminalFile(std::shared_ptr<Terminal> terminal, int open_flags)
    : terminal_(std::move(terminal)), hang_ups_(terminal_->hang_ups) {
  flags = open_flags;
  set_path(terminal_->path);
  ++terminal_->open_files;
  terminal_->was_opened = true;
}

TerminalFile::~TerminalFile() {
  --terminal_->open_files;
  terminal_->input_has_room();  // a master may have nobody to talk to any more
}

std::shared_ptr<file::Description> TerminalFile::reopened(int open_flags) {
  return std::make_shared<TerminalFile>(terminal_, open_flags);
}

Result<void> TerminalFile::change(const pip::AttributeChange& change) {
  pip::Attributes& a = terminal_->attributes;
  if (change.has_mode) a.mode = (a.mode & S_IFMT) | (change.mode & 07777);
  if (change.has_uid) a.uid = change.uid;
  if (change.has_gid) a.gid = change.gid;
  return {};
}

long TerminalFile::read(task::Thread& thread, void* to, size_t size) {
  if (size == 0) return 0;
  return terminal_->discipline.settings().has_local(ICANON) ? read_line(thread, to, size)
                                                            : read_bytes(thread, to, size);
}

// 0: look again. Minus an errno, restart_sys, or 1: the time is over.
long TerminalFile::wait_for_input(task::Thread& thread, uint64_t deadline_ns) {
  if ((flags & O_NONBLOCK) != 0) return -EAGAIN;
  if (deadline_ns != 0 && task::host_now_ns() >= deadline_ns) return 1;
  switch (task::wait_on(thread, terminal_->changed, deadline_ns)) {
    case task::Wake::signal:
      return task::restart_sys;
    case task::Wake::timeout:
      return 1;
    default:
      return 0;
  }
}

long TerminalFile::read_line(task::Thread& thread, void* to, size_t size) {
  std::byte line[chunk];
  for (;;) {
    if (hung_up()) return 0;
    if (const long stop = check_foreground(thread, *terminal_, SIGTTIN); stop != 0) return stop;
    if (const auto got = terminal_->discipline.read({line, std::min(size, chunk)})) {
      terminal_->input_has_room();
      return osp_user_copy(to, line, *got) == 0 ? static_cast<long>(*got) : -EFAULT;
    }
    if (const long stop = wait_for_input(thread, 0); stop != 0) return stop;
    if (!terminal_->discipline.settings().has_local(ICANON)) return read_bytes(thread, to, size);
  }
}

// By VMIN and VTIME, see termios(3), "Canonical and noncanonical mode".
long TerminalFile::read_bytes(task::Thread& thread, void* to, size_t size) {
  std::byte bytes[chunk];
  const auto& characters = terminal_->discipline.settings().characters;
  const size_t least = std::min<size_t>(characters[VMIN], size);
  const uint64_t time_ns = characters[VTIME] * tenth_ns;
  uint64_t deadline = least == 0 && time_ns != 0 ? task::host_now_ns() + time_ns : 0;
  size_t done = 0;
  for (;;) {
    if (hung_up()) return static_cast<long>(done);
    if (const long stop = check_foreground(thread, *terminal_, SIGTTIN); stop != 0 && done == 0) return stop;
    const auto got = terminal_->discipline.read({bytes, std::min(size - done, chunk)});
    if (got && *got > 0) {
      if (osp_user_copy(static_cast<std::byte*>(to) + done, bytes, *got) != 0) return -EFAULT;
      done += *got;
      terminal_->input_has_room();
      if (least != 0 && time_ns != 0) deadline = task::host_now_ns() + time_ns;
      if (done < size && terminal_->discipline.has_input()) continue;
    }
    if (done >= std::max<size_t>(least, 1) || (least == 0 && time_ns == 0)) return static_cast<long>(done);
    const long stop = wait_for_input(thread, deadline);
    if (stop != 0) return stop == 1 || done > 0 ? static_cast<long>(done) : stop;
  }
}

long TerminalFile::write(task::Thread& thread, const void* from, size_t size) {
  if (terminal_->discipline.settings().has_local(TOSTOP))
    if (const long stop = check_foreground(thread, *terminal_, SIGTTOU); stop != 0) return stop;
  std::byte bytes[chunk];
  size_t done = 0;
  while (done < size) {
    if (hung_up()) return -EIO;
    const size_t part = std::min(size - done, chunk);
    if (osp_user_copy(bytes, static_cast<const std::byte*>(from) + done, part) != 0)
      return done > 0 ? static_cast<long>(done) : -EFAULT;
    const size_t taken = terminal_->discipline.stopped() ? 0 : terminal_->discipline.write({bytes, part});
    if (taken > 0) terminal_->send();
    done += taken;
    if (taken == part) continue;
    if (taken > 0 && terminal_->discipline.output().empty()) continue;
    if ((flags & O_NONBLOCK) != 0) return done > 0 ? static_cast<long>(done) : -EAGAIN;
    if (const long stop = await(thread, terminal_->changed); stop != 0)
      return done > 0 ? static_cast<long>(done) : stop;
  }
  return static_cast<long>(done);
}

bool TerminalFile::has_enough() const {
  const LineSettings& settings = terminal_->discipline.settings();
  if (settings.has_local(ICANON)) return terminal_->discipline.has_input();
  const size_t least = settings.characters[VTIME] == 0 ? settings.characters[VMIN] : 1;
  return terminal_->discipline.waiting() >= std::max<size_t>(least, 1);
}

short TerminalFile::ready() const {
  if (hung_up()) return POLLIN | POLLOUT | POLLERR | POLLHUP;
  int ready = 0;
  if (has_enough()) ready |= POLLIN;
  if (!terminal_->discipline.stopped() && terminal_->discipline.output().room() >= chunk) ready |= POLLOUT;
  return static_cast<short>(ready);
}

long TerminalFile::control(task::Thread& thread, uint64_t request, uint64_t argument) {
  if (hung_up()) return request == TIOCSPGRP ? -ENOTTY : -EIO;
  return terminal_control(thread, *terminal_, request, argument, false);
}

}  // namespace osp::device
