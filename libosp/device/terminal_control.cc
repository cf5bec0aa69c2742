// The ioctls of a terminal: tty_ioctl(4).
#include <signal.h>

#include <cstring>

#include "libosp/device/job_control.h"
#include "libosp/device/support.h"
#include "libosp/device/terminal.h"
#include "libosp/linux/call.h"

namespace osp::device {
namespace {

// TCGETS2 and so on: the C library does not know their struct.
constexpr uint64_t get_settings = _IOR('T', 0x2A, LineSettings), set_settings = _IOW('T', 0x2B, LineSettings),
                   set_settings_sent = _IOW('T', 0x2C, LineSettings),
                   set_settings_flushed = _IOW('T', 0x2D, LineSettings);

struct Request {
  task::Thread& thread;
  Terminal& terminal;
  uint64_t argument;
  bool is_master;
};

long put_int(const Request& r, int value) { return linux::put(r.argument, value) ? 0 : -EFAULT; }

long put_settings(const Request& r, size_t size) {
  const LineSettings settings = r.terminal.discipline.settings();
  return osp_user_copy(linux::Call::pointer<void>(r.argument), &settings, size) == 0 ? 0 : -EFAULT;
}

enum class When { now, sent, sent_and_flushed };

long wait_until_sent(const Request& r) {
  while (r.terminal.is_sending())
    if (const long stop = await(r.thread, r.terminal.changed); stop != 0) return stop;
  return 0;
}

long take_settings(const Request& r, size_t size, When when) {
  if (!r.is_master)
    if (const long stop = check_foreground(r.thread, r.terminal, SIGTTOU); stop != 0) return stop;
  LineSettings settings = r.terminal.discipline.settings();
  if (osp_user_copy(&settings, linux::Call::pointer<void>(r.argument), size) != 0) return -EFAULT;
  if (when != When::now)
    if (const long stop = wait_until_sent(r); stop != 0) return stop;
  if (when == When::sent_and_flushed) {
    r.terminal.discipline.flush_input();
    r.terminal.input_has_room();
  }
  r.terminal.discipline.set(settings);
  r.terminal.send();
  r.terminal.changed.notify();
  return 0;
}

long control_settings(const Request& r, uint64_t request) {
  switch (request) {
    case TCGETS:
      return put_settings(r, old_settings_size);
    case get_settings:
      return put_settings(r, sizeof(LineSettings));
    case TCSETS:
      return take_settings(r, old_settings_size, When::now);
    case TCSETSW:
      return take_settings(r, old_settings_size, When::sent);
    case TCSETSF:
      return take_settings(r, old_settings_size, When::sent_and_flushed);
    case set_settings:
      return take_settings(r, sizeof(LineSettings), When::now);
    case set_settings_sent:
      return take_settings(r, sizeof(LineSettings), When::sent);
    case set_settings_flushed:
      return take_settings(r, sizeof(LineSettings), When::sent_and_flushed);
    default:
      return -ENOTTY;
  }
}

// Whether it is the caller's controlling terminal.
bool controls_caller(const Request& r) {
  return r.terminal.session != 0 && job_control() != nullptr &&
         job_control()->session_of(r.thread.process) == r.terminal.session;
}

long take_session(const Request& r) {
  JobControl* jobs = job_control();
  if (jobs == nullptr) return -EPERM;
  const int session = jobs->session_of(r.thread.process);
  if (session == r.terminal.session && session == r.thread.process.pid) return 0;
  if (session != r.thread.process.pid || r.terminal.session != 0) return -EPERM;
  r.terminal.session = session;
  r.terminal.foreground = jobs->group_of(r.thread.process);
  return 0;
}

long give_up_session(const Request& r) {
  if (!controls_caller(r)) return -ENOTTY;
  if (r.terminal.session == r.thread.process.pid) r.terminal.leave_session(true);
  return 0;
}

long set_foreground(const Request& r) {
  if (!controls_caller(r)) return -ENOTTY;
  if (!r.is_master)
    if (const long stop = check_foreground(r.thread, r.terminal, SIGTTOU); stop != 0) return stop;
  int group = 0;
  if (!linux::get(r.argument, group)) return -EFAULT;
  if (group <= 0) return -EINVAL;
  const int session = job_control()->session_of_group(group);
  if (session == 0) return -ESRCH;
  if (session != r.terminal.session) return -EPERM;
  r.terminal.foreground = group;
  return 0;
}

long control_jobs(const Request& r, uint64_t request) {
  switch (request) {
    case TIOCGPGRP:
      return controls_caller(r) || r.is_master ? put_int(r, r.terminal.foreground) : -ENOTTY;
    case TIOCSPGRP:
      return set_foreground(r);
    case TIOCGSID:
      return (controls_caller(r) || r.is_master) && r.terminal.session != 0 ? put_int(r, r.terminal.session) : -ENOTTY;
    case TIOCSCTTY:
      return take_session(r);
    case TIOCNOTTY:
      return give_up_session(r);
    default:
      return -ENOTTY;
  }
}

long flush(const Request& r) {
  if (!r.is_master)
    if (const long stop = check_foreground(r.thread, r.terminal, SIGTTOU); stop != 0) return stop;
  if (r.argument > TCIOFLUSH) return -EINVAL;
  if (r.argument != TCOFLUSH) r.terminal.discipline.flush_input();
  if (r.argument != TCIFLUSH) r.terminal.discipline.flush_output();
  r.terminal.input_has_room();
  r.terminal.changed.notify();
  return 0;
}

// tcflow(3). The line is asked to rest by its own characters.
long control_flow(const Request& r) {
  if (const long stop = check_foreground(r.thread, r.terminal, SIGTTOU); stop != 0) return stop;
  if (r.argument > TCION) return -EINVAL;
  if (r.argument == TCOOFF || r.argument == TCOON) {
    r.terminal.discipline.set_stopped(r.argument == TCOOFF);
  } else {
    const auto& characters = r.terminal.discipline.settings().characters;
    const auto byte = static_cast<std::byte>(characters[r.argument == TCIOFF ? VSTOP : VSTART]);
    if (byte != std::byte{0}) r.terminal.discipline.output().put({&byte, 1});
  }
  r.terminal.send();
  r.terminal.changed.notify();
  return 0;
}

long control_line(const Request& r, uint64_t request) {
  switch (request) {
    case TIOCGWINSZ:
      return linux::put(r.argument, r.terminal.size) ? 0 : -EFAULT;
    case TIOCSWINSZ: {
      winsize size = {};
      if (!linux::get(r.argument, size)) return -EFAULT;
      r.terminal.resize(size);
      return 0;
    }
    case FIONREAD:
      return put_int(r, static_cast<int>(r.terminal.discipline.waiting()));
    case TIOCOUTQ:
      return put_int(r, static_cast<int>(r.terminal.discipline.output().size()));
    case TCFLSH:
      return flush(r);
    case TCXONC:
      return control_flow(r);
    case TCSBRK:
    case TCSBRKP:  // there is no line that a break could be sent on
      return wait_until_sent(r);
    case TIOCSBRK:
    case TIOCCBRK:
      return 0;
    case TIOCEXCL:
    case TIOCNXCL:
      r.terminal.exclusive = request == TIOCEXCL;
      return 0;
    case TIOCGETD:
      return put_int(r, 0);
    case TIOCSTI:  // typing for others is refused, as by Linux with legacy_tiocsti off
      return -EIO;
    default:
      return -ENOTTY;
  }
}

}  // namespace

long terminal_control(task::Thread& thread, Terminal& terminal, uint64_t request, uint64_t argument, bool is_master) {
  const Request r = {thread, terminal, argument, is_master};
  long result = control_settings(r, request);
  if (result == -ENOTTY) result = control_jobs(r, request);
  return result == -ENOTTY ? control_line(r, request) : result;
}

}  // namespace osp::device
