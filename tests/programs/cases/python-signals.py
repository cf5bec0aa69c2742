#: about: python3: handlers, masks, pending, sigwait, sigtimedwait, itimers, wake-up fd, signals to threads, EINTR
import errno
import os
import select
import signal
import sys
import threading
import time

log = []
for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGCHLD, signal.SIGHUP):
    signal.signal(s, lambda n, frame: log.append(signal.Signals(n).name))
for _ in range(3):
    signal.raise_signal(signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR2)
print(log)
log.clear()
old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGUSR2})
os.kill(os.getpid(), signal.SIGUSR2)
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
print(sorted(signal.sigpending()), log)
print(signal.sigwait({signal.SIGUSR2}), signal.sigtimedwait({signal.SIGHUP}, 0.01))
info = signal.sigwaitinfo({signal.SIGUSR1})
print(info.si_signo, info.si_code, info.si_pid == os.getpid(), info.si_uid == os.getuid())
signal.pthread_sigmask(signal.SIG_SETMASK, old)
print(signal.sigpending(), log)
start = time.monotonic()
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
while log.count("SIGALRM") < 5:
    signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0)
print("five alarms", time.monotonic() - start >= 0.05)
log.clear()
signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
signal.signal(signal.SIGVTALRM, lambda *_: log.append("VTALRM"))
signal.signal(signal.SIGPROF, lambda *_: log.append("PROF"))
signal.setitimer(signal.ITIMER_PROF, 0.01)
while len(log) < 2:
    sum(range(1000))
print(sorted(log))
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.raise_signal(signal.SIGUSR1)
print(os.read(r, 10) == bytes([signal.SIGUSR1]))
signal.set_wakeup_fd(-1)


def interrupt(n, frame):
    signal.setitimer(signal.ITIMER_REAL, 0)
    raise KeyboardInterrupt(n)


signal.signal(signal.SIGALRM, interrupt)
for call in (lambda: os.read(r, 1), lambda: time.sleep(100), lambda: select.select([r], [], []),
             lambda: threading.Event().wait(100), lambda: os.waitid(os.P_PID, child, os.WEXITED),
             lambda: open("fifo").read(), lambda: signal.pause(), lambda: select.epoll().poll(100)):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            signal.pause()
    if not os.path.exists("fifo"):
        os.mkfifo("fifo")
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)  # the first may come before the call waits
        call()
        print("not interrupted")
    except KeyboardInterrupt as stop:
        print("interrupted by", stop)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
log.clear()
thread = threading.Thread(target=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2))
thread.start()
thread.join()
while not log:
    pass
print(log)
for s in (signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE, signal.SIGABRT, signal.SIGRTMIN + 3):
    child = os.fork()
    if child == 0:
        signal.signal(s, signal.SIG_DFL)
        os.kill(os.getpid(), s)
        os._exit(99)
    status = os.waitpid(child, 0)[1]
    print(s, os.WIFSIGNALED(status), os.WTERMSIG(status))
ends = os.pipe()
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    os.read(ends[0], 1)  # an end would hide that it went on
    os._exit(5)
print(os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]))
os.kill(child, signal.SIGCONT)
print(os.WIFCONTINUED(os.waitpid(child, os.WCONTINUED)[1]))
os.write(ends[1], b"x")
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    os.kill(child, 0)
except ProcessLookupError as error:
    print(error.errno == errno.ESRCH)
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGINT)
